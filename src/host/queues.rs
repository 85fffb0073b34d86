//! The queues that wake the roots of one VM.
//!
//! The host keeps a queue for as long as its `vm_id` lives, by the name under which it was registered, and whoever
//! registers the name again is woken from then on. So a VM has a few names, and a root leaves its own to the next one:
//! a thousand reloads need no more queues than configurations that drain at once.

use super::call::{self, Outcome};

/// The names of one VM.
#[derive(Debug)]
pub struct Queues {
    /// Tells them from those of other VMs; drawn for the first one.
    prefix: Option<u128>,
    /// How many there are.
    names: u32,
    /// Those that no root uses.
    free: Vec<u32>,
}

/// A queue of one root.
#[derive(Clone, Copy, Debug)]
pub struct Queue {
    name: u32,
    number: u32,
}

impl Queues {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            prefix: None,
            names: 0,
            free: Vec::new(),
        }
    }

    /// A queue for the root whose callback, or whose stream's callback, is running. Fails where the host has no queues.
    pub fn open(&mut self) -> Outcome<Queue> {
        let prefix = match self.prefix {
            Some(prefix) => prefix,
            None => {
                let mut bytes = [0; 16];
                call::random(&mut bytes)?;
                *self.prefix.insert(u128::from_le_bytes(bytes))
            }
        };
        let name = self.free.last().copied().unwrap_or(self.names);
        let number = call::register_queue(&format!("weir-{prefix:032x}-{name}"))?;
        if self.free.pop().is_none() {
            self.names += 1;
        }
        let queue = Queue { name, number };
        // The root before may have gone with its message on the way.
        queue.empty();
        Ok(queue)
    }

    /// Takes a queue back from a root that ends.
    pub fn close(&mut self, queue: Queue) {
        self.free.push(queue.name);
    }
}

impl Queue {
    /// Wakes the root.
    pub fn wake(self) -> Outcome<()> {
        call::enqueue(self.number)
    }

    /// Takes the message out that woke the root; none is there where something else did.
    pub fn empty(self) {
        let _ = call::dequeue(self.number);
    }
}
