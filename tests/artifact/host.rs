//! What the host keeps for one VM: its streams, the trace of its calls, and the faults scripted into them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use wasmi::{Memory, TypedFunc};

use crate::header_map::HeaderMap;
use crate::http_calls::HttpCalls;
use crate::process::Shared;
use crate::queues::Queues;
use crate::shared_data::Dialect;
use crate::status;

/// Host side of one VM; the data of its interpreter's store.
pub struct Host {
    pub process: Shared,
    /// The configuration of the root whose `proxy_on_configure` is running.
    pub configuration: Option<Vec<u8>>,
    /// Every context that was announced and not deleted.
    pub contexts: BTreeSet<u32>,
    pub streams: BTreeMap<u32, Stream>,
    /// The context whose callback is running, and its name.
    pub context: u32,
    pub callback: String,
    /// The context that calls are about in place of [`Self::context`].
    pub effective: Option<u32>,
    /// Whether the script kept the module from taking back what it had made effective.
    pub effective_kept: bool,
    pub queues: Queues,
    pub http_calls: HttpCalls,
    pub script: Script,
    pub trace: Vec<String>,
    pub log: Vec<(u32, String)>,
    /// By root.
    pub tick_periods: BTreeMap<u32, u32>,
    /// Calls of `proxy_on_memory_allocate` so far.
    pub allocations: u64,
    pub memory: Option<Memory>,
    pub allocate: Option<TypedFunc<u32, u32>>,
}

impl Host {
    pub fn new(process: Shared) -> Self {
        Self {
            process,
            configuration: None,
            contexts: BTreeSet::new(),
            streams: BTreeMap::new(),
            context: 0,
            callback: String::new(),
            effective: None,
            effective_kept: false,
            queues: Queues::default(),
            http_calls: HttpCalls::default(),
            script: Script::default(),
            trace: Vec::new(),
            log: Vec::new(),
            tick_periods: BTreeMap::new(),
            allocations: 0,
            memory: None,
            allocate: None,
        }
    }

    /// The stream that calls are about: it was made effective, or its callback is running.
    pub fn stream(&mut self) -> Option<&mut Stream> {
        self.streams.get_mut(&self.subject())
    }

    /// The root that calls are about, or that of the stream.
    pub fn root(&self) -> u32 {
        let subject = self.subject();
        let stream = self.streams.get(&subject);
        stream.map_or(subject, |stream| stream.root)
    }

    pub fn dialect(&self) -> Dialect {
        self.process.borrow().dialect()
    }

    fn subject(&self) -> u32 {
        let made = self.effective.or(self.http_calls.answered);
        made.unwrap_or(self.context)
    }
}

/// Where a stream is; decides which header map can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Request,
    Response,
    Neither,
}

/// Whether a request goes on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Going,
    /// It waits for the module.
    Paused,
    /// It waited, and the module let it go on.
    Resumed,
}

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The root that it belongs to.
    pub root: u32,
    pub flow: Flow,
    pub request: HeaderMap,
    pub response: HeaderMap,
    /// By path. A property that is not in here is one that the script does not expect to be read; one
    /// that is `None` does not exist.
    pub properties: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    pub phase: Phase,
    pub reply: Option<Reply>,
    /// Properties that the module has set.
    pub set: BTreeMap<String, String>,
}

/// A local reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u32,
    pub details: String,
    pub headers: HeaderMap,
    pub body: String,
    pub grpc_status: i32,
}

/// Faults to answer with.
#[derive(Default)]
pub struct Script {
    faults: Vec<(At, Fault)>,
    /// What happens just before a call: another worker is faster.
    meanwhile: Vec<(At, Rc<dyn Fn()>)>,
    /// Calls since the script was installed: all, and by name.
    position: usize,
    seen: BTreeMap<&'static str, usize>,
}

/// Which call a fault falls on; counted from 0.
#[derive(Clone, Copy, Debug)]
pub enum At {
    Position(usize),
    Nth(&'static str, usize),
    Every(&'static str),
}

/// What is answered in place of the truth.
#[derive(Clone)]
pub enum Fault {
    /// Nothing is done, this status comes back. [`status::OK`] is no fault, but for a call that returns
    /// data: it then returns none.
    Status(i32),
    /// The call succeeds with these bytes.
    Bytes(Vec<u8>),
}

impl Script {
    pub fn new(faults: impl IntoIterator<Item = (At, Fault)>) -> Self {
        Self {
            faults: faults.into_iter().collect(),
            ..Self::default()
        }
    }

    pub fn meanwhile(at: At, event: Rc<dyn Fn()>) -> Self {
        Self {
            meanwhile: vec![(at, event)],
            ..Self::default()
        }
    }

    /// Counts one call, lets happen what happens meanwhile, and says what is answered in its place.
    pub fn next(&mut self, name: &'static str) -> Option<Fault> {
        let nth = self.seen.entry(name).or_insert(0);
        let hit = |at: &At| match *at {
            At::Position(position) => position == self.position,
            At::Nth(wanted, n) => wanted == name && n == *nth,
            At::Every(wanted) => wanted == name,
        };
        self.meanwhile
            .iter()
            .filter(|(at, _)| hit(at))
            .for_each(|(_, event)| event());
        let fault = self
            .faults
            .iter()
            .find(|(at, _)| hit(at))
            .map(|(_, fault)| fault.clone());
        *nth += 1;
        self.position += 1;
        fault
    }

    /// Calls since the script was installed.
    pub fn calls(&self) -> usize {
        self.position
    }
}

/// How the outcome of a call is written behind it.
pub fn outcome(result: Result<String, i32>) -> String {
    match result {
        Ok(text) => text,
        Err(code) => format!(" -> {}", status::name(code)),
    }
}
