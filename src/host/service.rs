//! The rate limit service, as one root asks it.
//!
//! A stream that must wait cannot make the call: its answer would come to the stream, and be lost with it. So the
//! root makes it, and a queue of its own wakes it at once: nobody waits for a tick.

use super::call::{self, Buffer, HostError, Map, Outcome};
use crate::engine::Met;
use crate::facts::HeaderMap;
use crate::global::parking::{Answered, Parked, Parking, Question, quota};
use crate::global::wire::{Answer, Ask, Engine, Fault, MAX_BODY, Told};
use crate::local::limit::Limit;
use crate::pairs::Pairs;
use crate::plan::Plan;
use crate::units::{Instant, Now, UnixTime};

/// What one root has with its service.
#[derive(Debug)]
pub struct Client {
    parking: Parking,
    /// Wakes the root.
    queue: u32,
    /// Whether a message is in it: one wakes the root for all who have come by then.
    waking: bool,
}

/// How a call went.
#[derive(Debug)]
pub struct Reply {
    /// Who waited for it.
    pub answered: Vec<Answered>,
    /// Why nothing could be learnt from it.
    pub fault: Option<Fault>,
    /// Whether the service has no limit for something that it was asked.
    pub unmatched: bool,
}

impl Client {
    /// A client that nobody waits for yet.
    pub fn new() -> Outcome<Self> {
        let mut name = [0; 16];
        call::random(&mut name)?;
        let queue = call::register_queue(&format!("weir-{:032x}", u128::from_le_bytes(name)))?;
        Ok(Self {
            parking: Parking::default(),
            queue,
            waking: false,
        })
    }

    /// Requests that wait.
    pub const fn waiting(&self) -> usize {
        self.parking.len()
    }

    /// Lets a stream wait, and wakes the root. Fails when the root cannot be woken.
    pub fn park(
        &mut self,
        stream: u32,
        met: Vec<Met>,
        questions: Vec<Question>,
        now: Now,
    ) -> Outcome<()> {
        if !self.waking {
            call::enqueue(self.queue)?;
            self.waking = true;
        }
        self.parking.park(stream, met, questions, now.monotonic);
        Ok(())
    }

    /// Forgets a stream that has gone.
    pub fn leave(&mut self, stream: u32) {
        self.parking.leave(stream);
    }

    /// Takes the message out of the queue that woke the root.
    pub fn woken(&mut self) {
        self.waking = false;
        // None is there where the root was woken by something else.
        let _ = call::dequeue(self.queue);
    }

    /// Asks for whoever waits and is not asked for yet. Gives the number of calls that were begun, and whoever has
    /// nothing to wait for since the call could not be.
    pub fn ask(&mut self, plan: &Plan) -> (u32, Vec<Answered>) {
        let Some(service) = &plan.service else {
            return (0, Vec::new());
        };
        let most = service.engine.most_asks().min(MOST_ASKS);
        let (mut calls, mut failed) = (0, Vec::new());
        loop {
            let batch = self.parking.batch(most);
            let asks = batch.iter().filter_map(|question| {
                Some(Ask {
                    descriptor: &question.descriptor,
                    hits: 1,
                    limit: limit(plan, question)?,
                })
            });
            let asks: Vec<Ask<'_>> = asks.collect();
            if asks.is_empty() {
                return (calls, failed);
            }
            let message = service.engine.call(&plan.domain, &asks);
            let headers = headers(&service.authority, message.path);
            let timeout_ms = service.timeout_ms;
            let body = message.body.as_bytes();
            match call::http_call(&service.cluster, &headers, body, timeout_ms) {
                Ok(call) => {
                    calls += 1;
                    self.parking.asked(most, call);
                }
                // No healthy host, or a circuit breaker of the proxy's own.
                Err(_) => {
                    self.parking.asked(most, NO_CALL);
                    failed.extend(self.parking.answered(NO_CALL, None));
                }
            }
        }
    }

    /// Reads the answer to call number `call`, whose callback is running.
    pub fn reply(&mut self, call: u32, body_len: usize, plan: &Plan, now: UnixTime) -> Reply {
        let questions: Vec<Question> = self.parking.asked_by(call).cloned().collect();
        let engine = plan.service.as_ref().map(|service| service.engine);
        let told = engine
            .ok_or(Fault::Unreachable)
            .and_then(|engine| read(engine, questions.len(), body_len));
        let fault = told.as_ref().err().copied();
        let unmatched = told.as_ref().is_ok_and(|told| {
            let mut told = told.iter().flatten();
            told.any(|told| told.counter.is_none())
        });
        let quotas = told.ok().map(|told| {
            let each = questions.iter().zip(told);
            let each = each.map(|(question, told)| {
                let limit = limit(plan, question).ok_or(Fault::Count)?;
                Ok(quota(question, limit, &told?, now))
            });
            each.collect()
        });
        Reply {
            answered: self.parking.answered(call, quotas),
            fault,
            unmatched,
        }
    }

    /// Takes out whoever has waited for the longest that a request may.
    pub fn overdue(&mut self, plan: &Plan, now: Instant) -> Vec<Parked> {
        match &plan.service {
            Some(service) => self.parking.overdue(now, service.max_wait),
            None => Vec::new(),
        }
    }
}

/// The most asks in one call: to 256 a real service took 8 to 18 ms to answer, of the 20 that a request waits by default.
const MOST_ASKS: usize = 64;

/// The most bytes of an answer for each ask, and besides: several times what any engine sends. A longer one is not
/// read, since what it takes to read it the VM never gives back.
const ANSWER_PER_ASK: usize = 2_048;
const ANSWER_BESIDES: usize = 4_096;

/// What is told of calls that could not be begun.
pub const NOT_CALLED: Fault = Fault::Unreachable;

/// In place of a call that could not be begun: no call has this number.
const NO_CALL: u32 = 0;

fn limit<'p>(plan: &'p Plan, question: &Question) -> Option<&'p Limit> {
    plan.rules.get(question.rule)?.limits.get(question.limit)
}

fn headers(authority: &str, path: &str) -> Vec<u8> {
    let mut pairs = Pairs::with_room();
    for (name, value) in [
        (":method", "POST"),
        (":path", path),
        (":authority", authority),
        ("content-type", "application/json"),
    ] {
        pairs.add_text(name, value);
    }
    pairs.finish()
}

/// What the answer whose callback is running says of each of the questions of its call.
fn read(engine: Engine, asked: usize, body_len: usize) -> Result<Vec<Result<Told, Fault>>, Fault> {
    let headers = call::read_header_map(Map::Answer).map_err(unread)?;
    let headers = HeaderMap::new(headers);
    let fields: Vec<(&[u8], &[u8])> = headers.iter().collect();
    let status = headers.one(":status").ok();
    let status = status.and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
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
