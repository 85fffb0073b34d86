//! Shared queues: whose message wakes whom.

use std::collections::{BTreeMap, VecDeque};

use wasmi::Linker;
use wasmi::errors::LinkerError;

use crate::boundary::{Answer, Denied, Guest, bytes, data, effect, fill, unexpected};
use crate::header_map::show;
use crate::host::Host;
use crate::shared_data::Dialect;
use crate::status;

/// The queues that the roots of one worker have registered.
#[derive(Default)]
pub struct Queues {
    /// By number.
    registered: BTreeMap<u32, Queue>,
    /// A root and its queue for each message: whoever registered a queue is told of each once.
    wakes: VecDeque<(u32, u32)>,
}

struct Queue {
    root: u32,
    messages: VecDeque<Vec<u8>>,
}

impl Queues {
    /// Who is woken next, and by which queue.
    pub fn wake(&mut self) -> Option<(u32, u32)> {
        self.wakes.pop_front()
    }

    fn enqueue(&mut self, number: u32, message: Vec<u8>) -> Result<(), Denied> {
        let queue = self.registered.get_mut(&number);
        let queue = queue.ok_or(Denied::Status(status::NOT_FOUND))?;
        queue.messages.push_back(message);
        self.wakes.push_back((queue.root, number));
        Ok(())
    }

    fn dequeue(&mut self, number: u32) -> Result<Vec<u8>, Denied> {
        let queue = self.registered.get_mut(&number);
        let queue = queue.ok_or(Denied::Status(status::NOT_FOUND))?;
        queue
            .messages
            .pop_front()
            .ok_or(Denied::Status(status::EMPTY))
    }
}

/// The imports from `env` about queues.
pub fn link(linker: &mut Linker<Host>) -> Result<(), LinkerError> {
    linker
        .func_wrap("env", "proxy_register_shared_queue", register)?
        .func_wrap("env", "proxy_enqueue_shared_queue", enqueue)?
        .func_wrap("env", "proxy_dequeue_shared_queue", dequeue)?;
    Ok(())
}

/// On Kong a queue is a zone of nginx's configuration, and to ask for one that is not there traps.
fn register(mut guest: Guest<'_>, name: u32, length: u32, queue: u32) -> Answer {
    let name = show(&bytes(&guest, name, length)?);
    // What is random in it is no part of a list of calls.
    let (prefix, index) = name.rsplit_once('-').unwrap();
    let short = prefix.trim_end_matches(|letter: char| letter.is_ascii_hexdigit());
    let arguments = format!("{short}…-{index}");
    let call = "register_shared_queue";
    fill(&mut guest, call, &arguments, queue, |host| {
        let mut process = host.process.borrow_mut();
        if process.dialect() == Dialect::Kong {
            return unexpected("a queue that nginx was not configured with traps on Kong");
        }
        let known = process.queue_names.iter().position(|known| *known == name);
        let at = known.unwrap_or_else(|| {
            process.queue_names.push(name);
            process.queue_names.len() - 1
        });
        let number = u32::try_from(at + 1).unwrap();
        let stream = host.streams.get(&host.context);
        let root = stream.map_or(host.context, |stream| stream.root);
        let queues = &mut host.queues.registered;
        if known.is_some() && !queues.contains_key(&number) {
            return unexpected("a queue of another VM would wake nobody there any more");
        }
        // Of a queue that is there Envoy keeps the messages.
        let messages = VecDeque::new();
        queues
            .entry(number)
            .or_insert(Queue { root, messages })
            .root = root;
        Ok(number.to_le_bytes().to_vec())
    })
}

fn enqueue(mut guest: Guest<'_>, queue: u32, value: u32, length: u32) -> Answer {
    let message = bytes(&guest, value, length)?;
    let arguments = format!("({} B)", message.len());
    effect(&mut guest, "enqueue_shared_queue", &arguments, |host| {
        host.queues.enqueue(queue, message)
    })
}

fn dequeue(mut guest: Guest<'_>, queue: u32, value: u32, length: u32) -> Answer {
    let call = "dequeue_shared_queue";
    data(&mut guest, call, "", (value, length), |host| {
        host.queues.dequeue(queue)
    })
}
