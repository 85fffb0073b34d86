//! The rate limit service, as one root reaches it.
//!
//! Where a root can resume streams, a stream that must wait makes no call: its answer would come to the stream, and be
//! lost with it. The root makes it, and a queue of its own wakes it at once: nobody waits for a tick. Elsewhere each
//! stream calls for itself, and ticks of the root for all besides.

use super::call::{self, Buffer, HostError, Map, Outcome};
use super::queues::{Queue, Queues};
use crate::facts::HeaderMap;
use crate::global::caller::{Caller, is_address};
use crate::global::client::Client;
use crate::global::exchange::Asking;
use crate::global::wire::{Answer, Ask, Engine, Fault, MAX_BODY, Told};
use crate::local::store::Dialect;
use crate::log::Incident;
use crate::pairs::Pairs;
use crate::plan::{Plan, Service};
use crate::units::Nanos;

/// Who asks on the host that this module is for. What the shared data say of their dialect could be wrong.
pub const CALLER: Caller = match cfg!(feature = "kong") {
    true => Caller::Stream,
    false => Caller::Root,
};

/// What one root has with its service.
#[derive(Debug)]
pub struct Link {
    /// What is asked, and for whom.
    pub client: Client,
    waker: Waker,
}

/// What gets a root to ask.
#[derive(Clone, Copy, Debug)]
enum Waker {
    /// A queue of its own, from the first time that it is to be woken: most configurations run in VMs that serve nobody.
    Queue {
        queue: Option<Queue>,
        /// Whether a message is in it: one wakes the root for all who have come by then.
        waking: bool,
    },
    /// Only its next tick: a host without streams that a root resumes stops the worker for a queue that its operator
    /// has not declared.
    Tick,
}

impl Link {
    /// A link that nobody waits for yet; or why there can be none.
    pub fn new(service: &Service, dialect: Dialect) -> Result<Self, Incident<'static>> {
        let client = Client::new(service, dialect, CALLER);
        let waker = match CALLER {
            Caller::Stream if is_address(&service.cluster) => Waker::Tick,
            Caller::Stream => return Err(Incident::Upstream),
            Caller::Root => Waker::Queue {
                queue: None,
                waking: false,
            },
        };
        Ok(Self { client, waker })
    }

    /// Wakes the root. Fails when it cannot be woken.
    pub fn wake(&mut self, queues: &mut Queues) -> Outcome<()> {
        match &mut self.waker {
            Waker::Queue { waking: true, .. } | Waker::Tick => {}
            Waker::Queue { queue, waking } => {
                let queue = match queue {
                    Some(queue) => queue,
                    None => queue.insert(queues.open()?),
                };
                queue.wake()?;
                *waking = true;
            }
        }
        Ok(())
    }

    /// Whether it is to be woken.
    pub const fn is_waking(&self) -> bool {
        matches!(self.waker, Waker::Queue { waking: true, .. })
    }

    /// Takes the message out of the queue that woke the root.
    pub fn woken(&mut self) {
        if let Waker::Queue { queue, waking } = &mut self.waker {
            *waking = false;
            if let Some(queue) = queue {
                queue.empty();
            }
        }
    }

    /// Leaves its queue to others.
    pub fn close(self, queues: &mut Queues) {
        if let Waker::Queue {
            queue: Some(queue), ..
        } = self.waker
        {
            queues.close(queue);
        }
    }
}

/// The most bytes of an answer for each ask, and besides: several times what any engine sends. A longer one is not
/// read, since what it takes to read it the VM never gives back.
const ANSWER_PER_ASK: usize = 2_048;
const ANSWER_BESIDES: usize = 4_096;

/// Makes a call, and tells its number. Fails when there is no healthy host, or by a circuit breaker of the proxy's own.
pub fn send(plan: &Plan, service: &Service, asks: &[Asking], timeout: Nanos) -> Outcome<u32> {
    let asks = asks.iter().filter_map(|asking| {
        let rule = plan.rules.get(asking.question.rule)?;
        Some(Ask {
            descriptor: &asking.question.descriptor,
            hits: asking.hits,
            limit: rule.limits.get(asking.question.limit)?,
        })
    });
    let asks: Vec<Ask<'_>> = asks.collect();
    let message = service.engine.call(&plan.domain, &asks);
    let headers = headers(service, message.path);
    let body = message.body.as_bytes();
    call::http_call(&service.cluster, &headers, body, timeout)
}

fn headers(service: &Service, path: &str) -> Vec<u8> {
    let mut pairs = Pairs::with_room();
    for (name, value) in [
        (":method", "POST"),
        (":path", path),
        (":authority", &service.authority),
        ("content-type", "application/json"),
    ] {
        pairs.add_text(name, value);
    }
    for (name, value) in &service.headers {
        pairs.add_text(name, &value.0);
    }
    pairs.finish()
}

/// What the answer whose callback is running says of each of the asks of its call.
pub fn read(
    engine: Engine,
    asked: usize,
    body_len: usize,
) -> Result<Vec<Result<Told, Fault>>, Fault> {
    let headers = call::read_header_map(Map::Answer).map_err(unread)?;
    let headers = HeaderMap::new(headers);
    let fields: Vec<(&[u8], &[u8])> = headers.iter().collect();
    let status = headers.one(":status").ok();
    let status = status.and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
    if status.is_none() && headers.one(":dispatch_status") == Ok(b"timeout") {
        // So says Kong's host, in place of a status.
        return Err(Fault::Timeout);
    }
    let most = asked
        .saturating_mul(ANSWER_PER_ASK)
        .saturating_add(ANSWER_BESIDES);
    if body_len > most.min(MAX_BODY) {
        return Err(Fault::Body);
    }
    let body = match body_len {
        0 => Vec::new(),
        len => call::read_buffer(Buffer::Answer, len).map_err(unread)?,
    };
    engine.read(
        asked,
        &Answer {
            status,
            headers: &fields,
            body: &body,
        },
    )
}

const fn unread(_: HostError) -> Fault {
    Fault::Unreachable
}
