//! A proxy with one worker and one configuration, which most tests begin with.

use crate::host::Script;
use crate::process::{Process, Shared};
use crate::request::Request;
use crate::shared_data::Dialect;
use crate::worker::{Exchange, Root, Worker};
use weir::metrics::on_kong;

/// One second in nanoseconds.
pub const SECOND: u64 = 1_000_000_000;

/// 20 a second, 40 at once, per client, without headers on responses.
pub const PER_CLIENT: &str = r#"{"rules": [{"name": "per-client", "key": ["client_ip"],
    "limits": [{"requests": 20, "per": "1s", "burst": 40}]}], "response": {"headers": []}}"#;

/// The same with one request an hour, so that the second one is refused.
pub const ONE_AN_HOUR: &str = r#"{"rules": [{"name": "per-client", "key": ["client_ip"],
    "limits": [{"requests": 1, "per": "1h"}]}], "response": {"headers": []}}"#;

pub struct Scene {
    pub process: Shared,
    pub worker: Worker,
    pub root: Root,
}

impl Scene {
    pub fn new(configuration: &str) -> Self {
        Self::on(Dialect::Envoy, configuration)
    }

    pub fn on(dialect: Dialect, configuration: &str) -> Self {
        let process = Process::new(dialect);
        let mut worker = Worker::new(&process);
        let root = worker.accept(configuration);
        Self {
            process,
            worker,
            root,
        }
    }

    /// One more worker of the same proxy, with the same configuration.
    pub fn second_worker(&self, configuration: &str) -> (Worker, Root) {
        let mut worker = Worker::new(&self.process);
        let root = worker.accept(configuration);
        (worker, root)
    }

    pub fn exchange(&mut self, request: &Request) -> Exchange {
        self.worker.exchange(self.root, request)
    }

    /// `count` requests that must be admitted; what a test does not look at.
    pub fn admit(&mut self, count: usize, request: &Request) {
        for _ in 0..count {
            let exchange = self.exchange(request);
            assert!(exchange.admitted(), "{}", exchange.trace.join("\n"));
        }
    }

    /// An exchange with faults.
    pub fn scripted(&mut self, script: Script, request: &Request) -> Exchange {
        self.worker.script(script);
        let exchange = self.exchange(request);
        self.worker.script(Script::default());
        exchange
    }

    /// A metric, a second later, when the worker has handed over what it counted.
    pub fn metric(&mut self, name: &str) -> i64 {
        let trace = self.worker.take_trace();
        self.process.borrow_mut().advance(SECOND);
        self.worker.tick(self.root);
        self.worker.take_trace();
        self.worker.restore_trace(trace);
        let process = self.process.borrow();
        match process.dialect() {
            Dialect::Envoy => process.metrics.value(name),
            Dialect::Kong => process.metrics.value(&on_kong(name)),
        }
    }
}
