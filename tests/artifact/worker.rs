//! One worker: an instance of the module, driven through its callbacks.

use wasmi::{Instance, Linker, Store, WasmParams, WasmResults};

use crate::header_map::HeaderMap;
use crate::host::{Flow, Host, Phase, Reply, Script, Stream};
use crate::http_calls::CallAnswer;
use crate::module::artifact;
use crate::process::Shared;
use crate::request::Request;
use crate::shared_data::Dialect;
use crate::{hostcalls, http_calls, queues, stream_calls, wasi};

/// The most streams that a callback may answer or resume: Envoy does each inside the callback of the one before, and
/// about 290 overflow the stack.
const MOST_SETTLED: usize = 64;

/// More than any callback may burn; an endless loop ends here.
const FUEL: u64 = 200_000_000;

/// A VM of the proxy.
pub struct Worker {
    store: Store<Host>,
    instance: Instance,
    contexts: u32,
    fuel: u64,
}

/// A root context and what its configuration was answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    pub id: u32,
    pub accepted: bool,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The callbacks and the calls made in them, in order.
    pub trace: Vec<String>,
    pub reply: Option<Reply>,
    /// Headers as the client gets them.
    pub response: HeaderMap,
    /// What the module's code burnt, all callbacks together.
    pub fuel: u64,
    /// Calls of `proxy_on_memory_allocate`.
    pub allocations: u64,
}

impl Exchange {
    /// Whether the request went on to the upstream.
    pub fn admitted(&self) -> bool {
        self.reply.is_none()
    }
}

impl Worker {
    /// An instance of the artifact, initialised as the hosts do it.
    pub fn new(process: &Shared) -> Self {
        let dialect = process.borrow().dialect();
        let artifact = artifact(dialect);
        let mut store = Store::new(&artifact.engine, Host::new(Shared::clone(process)));
        store.set_fuel(FUEL).unwrap();
        let mut linker = Linker::new(&artifact.engine);
        hostcalls::link(&mut linker).unwrap();
        stream_calls::link(&mut linker).unwrap();
        queues::link(&mut linker).unwrap();
        http_calls::link(&mut linker).unwrap();
        wasi::link(&mut linker).unwrap();
        let instance = linker
            .instantiate_and_start(&mut store, &artifact.module)
            .unwrap();
        let memory = instance.get_memory(&store, "memory");
        let allocate = instance
            .get_typed_func(&store, "proxy_on_memory_allocate")
            .ok();
        store.data_mut().memory = memory;
        store.data_mut().allocate = allocate;
        let mut worker = Self {
            store,
            instance,
            contexts: 0,
            fuel: 0,
        };
        worker.call::<(), ()>("_initialize", ());
        if dialect == Dialect::Kong {
            let started: u32 = worker.call("proxy_on_vm_start", (0_u32, 0_u32));
            assert_ne!(started, 0, "Kong's host loads no module without it");
        }
        worker
    }

    /// A new root context that was not configured yet.
    pub fn unconfigured(&mut self) -> Root {
        let id = self.next_context();
        self.callback::<(u32, u32), ()>("proxy_on_context_create", id, (id, 0));
        Root {
            id,
            accepted: false,
        }
    }

    /// A new root context with this configuration, beside those that are there.
    pub fn configure(&mut self, configuration: &str) -> Root {
        let id = self.unconfigured().id;
        self.configure_root(id, configuration)
    }

    /// Another configuration for a root context.
    pub fn configure_root(&mut self, id: u32, configuration: &str) -> Root {
        self.store.data_mut().configuration = Some(configuration.as_bytes().to_vec());
        let length = u32::try_from(configuration.len()).unwrap();
        let accepted: u32 = self.callback("proxy_on_configure", id, (id, length));
        self.store.data_mut().configuration = None;
        Root {
            id,
            accepted: accepted != 0,
        }
    }

    /// A root context whose configuration must be accepted.
    pub fn accept(&mut self, configuration: &str) -> Root {
        let root = self.configure(configuration);
        assert!(
            root.accepted,
            "refused:\n{configuration}\n{:?}",
            self.host().log
        );
        self.take_trace();
        root
    }

    /// A whole request: request phase, response phase (of the module's own reply too), end of stream.
    pub fn exchange(&mut self, root: Root, request: &Request) -> Exchange {
        self.exchange_with(root, request, |_| ())
    }

    /// The same, with what happens between its two phases.
    pub fn exchange_with(
        &mut self,
        root: Root,
        request: &Request,
        meanwhile: impl FnOnce(&mut Self),
    ) -> Exchange {
        self.take_trace();
        let allocations = self.host().allocations;
        let before = self.fuel;
        let stream = self.open(root, request);
        self.request_headers(stream);
        meanwhile(self);
        self.response_headers(stream);
        let end = self.close(stream);
        Exchange {
            trace: self.take_trace(),
            reply: end.reply,
            response: end.response,
            fuel: self.fuel - before,
            allocations: self.host().allocations - allocations,
        }
    }

    /// A new stream of that root.
    pub fn open(&mut self, root: Root, request: &Request) -> u32 {
        let id = self.next_context();
        let mut stream = request.stream();
        stream.root = root.id;
        self.store.data_mut().streams.insert(id, stream);
        self.callback::<(u32, u32), ()>("proxy_on_context_create", id, (id, root.id));
        id
    }

    /// The action that was answered: 0 to go on, 1 to wait.
    pub fn request_headers(&mut self, stream: u32) -> u32 {
        self.enter(stream, Phase::Request);
        let count = self
            .stream(stream)
            .map_or(0, |stream| stream.request.0.len());
        let count = u32::try_from(count).unwrap();
        let action = self.callback("proxy_on_request_headers", stream, (stream, count, 1_u32));
        match self.stream(stream) {
            Some(stream) if action == 1 && stream.reply.is_none() => stream.flow = Flow::Paused,
            _ => self.enter(stream, Phase::Neither),
        }
        action
    }

    /// The action that was answered: 0 to go on, 1 to wait.
    pub fn response_headers(&mut self, stream: u32) -> u32 {
        self.enter(stream, Phase::Response);
        let count = self
            .stream(stream)
            .map_or(0, |stream| stream.response.0.len());
        let count = u32::try_from(count).unwrap();
        let action = self.callback("proxy_on_response_headers", stream, (stream, count, 0_u32));
        self.enter(stream, Phase::Neither);
        action
    }

    /// Ends a stream and says what became of it.
    pub fn close(&mut self, stream: u32) -> Stream {
        if self.host().dialect() == Dialect::Kong {
            assert_eq!(self.call::<u32, u32>("proxy_on_done", stream), 1);
            self.call::<u32, ()>("proxy_on_log", stream);
        }
        self.delete(stream);
        self.store.data_mut().streams.remove(&stream).unwrap()
    }

    /// `proxy_on_delete` alone, for any context.
    pub fn delete(&mut self, context: u32) {
        self.callback::<u32, ()>("proxy_on_delete", context, context);
        self.store.data_mut().contexts.remove(&context);
    }

    /// Ends a stream of which the module is not told.
    pub fn forget(&mut self, stream: u32) {
        let host = self.store.data_mut();
        host.contexts.remove(&stream);
        host.streams.remove(&stream);
    }

    pub fn tick(&mut self, root: Root) {
        self.callback::<u32, ()>("proxy_on_tick", root.id, root.id);
    }

    /// Wakes the root whose queue got the oldest message that nobody was woken for; false when there is none.
    pub fn wake(&mut self) -> bool {
        let Some((root, queue)) = self.store.data_mut().queues.wake() else {
            return false;
        };
        if self.host().contexts.contains(&root) {
            self.callback::<(u32, u32), ()>("proxy_on_queue_ready", root, (root, queue));
        }
        true
    }

    /// The answer to a call under way. On Kong the root is told of it too, but what it does is done to the stream that
    /// made the call; and that goes on by itself when all of its calls are answered.
    pub fn answer(&mut self, call: u32, answer: CallAnswer) {
        let calls = &mut self.store.data_mut().http_calls;
        let known = calls.under_way.remove(&call).unwrap();
        calls.answered = known.stream;
        self.answer_to(known.root, call, answer);
        let host = self.store.data_mut();
        host.http_calls.answered = None;
        let is_free = |stream: &u32| !host.http_calls.holds(*stream);
        if let Some(number) = known.stream.filter(is_free)
            && let Some(stream) = host.streams.get_mut(&number)
        {
            stream.flow = Flow::Going;
        }
    }

    /// An answer to any root, to a call of any number.
    pub fn answer_to(&mut self, root: u32, call: u32, answer: CallAnswer) {
        let headers = answer.headers.as_ref().map_or(0, |headers| headers.0.len());
        let headers = u32::try_from(headers).unwrap();
        let length = answer.announced;
        self.store.data_mut().http_calls.answer = Some(answer);
        let name = "proxy_on_http_call_response";
        let params = (root, call, headers, length, 0);
        self.callback::<(u32, u32, u32, u32, u32), ()>(name, root, params);
        self.store.data_mut().http_calls.answer = None;
    }

    /// Faults for the calls from here on.
    pub fn script(&mut self, script: Script) {
        self.store.data_mut().script = script;
    }

    pub fn host(&self) -> &Host {
        self.store.data()
    }

    pub fn take_trace(&mut self) -> Vec<String> {
        std::mem::take(&mut self.store.data_mut().trace)
    }

    /// Undoes [`Self::take_trace`].
    pub fn restore_trace(&mut self, trace: Vec<String>) {
        self.store.data_mut().trace = trace;
    }

    /// Bytes of linear memory, which only grows.
    pub fn memory(&self) -> usize {
        self.host().memory.unwrap().data_size(&self.store)
    }

    fn next_context(&mut self) -> u32 {
        self.contexts += 1;
        self.store.data_mut().contexts.insert(self.contexts);
        self.contexts
    }

    fn stream(&mut self, stream: u32) -> Option<&mut Stream> {
        self.store.data_mut().streams.get_mut(&stream)
    }

    fn enter(&mut self, stream: u32, phase: Phase) {
        if let Some(stream) = self.stream(stream) {
            stream.phase = phase;
        }
    }

    /// A callback, with a line of its own in the trace; none when the module does not export it.
    fn callback<Params, Results>(&mut self, name: &str, context: u32, params: Params) -> Results
    where
        Params: WasmParams,
        Results: WasmResults + Default + Shown,
    {
        let host = self.store.data_mut();
        (host.context, host.effective, host.effective_kept) = (context, None, false);
        name.clone_into(&mut host.callback);
        if self.instance.get_func(&self.store, name).is_none() {
            return Results::default();
        }
        let short = name.trim_start_matches("proxy_");
        self.store.data_mut().trace.push(short.to_owned());
        let at = self.store.data().trace.len();
        let results: Results = self.call(name, params);
        let trace = &mut self.store.data_mut().trace;
        trace[at - 1] += &results.shown();
        for line in &mut trace[at..] {
            *line = format!("    {}", line.replace('\n', "\n    "));
        }
        self.settle(name);
        results
    }

    /// What the host does after a callback: requests that were let go on or answered in it leave their phase.
    fn settle(&mut self, name: &str) {
        let host = self.store.data_mut();
        let effective = host.effective.filter(|context| *context != host.context);
        if let Some(stream) = effective.filter(|_| !host.effective_kept) {
            panic!("{name}: stream {stream} was left effective");
        }
        let mut settled = 0;
        for stream in host.streams.values_mut() {
            if stream.flow == Flow::Resumed || stream.reply.is_some() {
                settled += usize::from(stream.phase != Phase::Neither);
                stream.flow = Flow::Going;
                stream.phase = Phase::Neither;
            }
        }
        // A reply of Kong's host goes out at once, and only an answer resumes a stream there: its own.
        let most = match host.dialect() {
            Dialect::Kong => 1,
            Dialect::Envoy => MOST_SETTLED,
        };
        assert!(settled <= most, "{name}: {settled} streams settled at once");
    }

    fn call<Params, Results>(&mut self, name: &str, params: Params) -> Results
    where
        Params: WasmParams,
        Results: WasmResults + Default,
    {
        let Ok(function) = self
            .instance
            .get_typed_func::<Params, Results>(&self.store, name)
        else {
            return Results::default();
        };
        self.store.set_fuel(FUEL).unwrap();
        let results = function
            .call(&mut self.store, params)
            .unwrap_or_else(|error| {
                panic!(
                    "{name}: {error}\nafter\n{}",
                    self.store.data().trace.join("\n")
                )
            });
        self.fuel += FUEL - self.store.get_fuel().unwrap();
        results
    }
}

/// How the answer of a callback is written behind it.
pub trait Shown {
    fn shown(&self) -> String;
}

impl Shown for () {
    fn shown(&self) -> String {
        String::new()
    }
}

impl Shown for u32 {
    fn shown(&self) -> String {
        format!(" -> {self}")
    }
}
