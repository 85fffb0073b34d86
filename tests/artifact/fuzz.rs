//! Anything, in any order, from fixed seeds: the module must not trap, must not grow, and must make no
//! call that it may not make.

use crate::garbage::FOUNDING;
use crate::host::{At, Fault, Flow, Script};
use crate::http_calls::CallAnswer;
use crate::process::{Process, Random, Shared};
use crate::request::Request;
use crate::scene::{ONE_AN_HOUR, PER_CLIENT, SECOND};
use crate::service::{PER_REQUEST, gone, told};
use crate::shared_data::Dialect;
use crate::worker::{Root, Worker};

/// Steps per seed and dialect.
const STEPS: usize = 4_000;

/// Streams at once: more would mostly be of roots that are gone.
const MAX_STREAMS: usize = 24;

/// Linear memory that no sequence may pass: 4 MiB.
const MAX_MEMORY: usize = 4 << 20;

const CONFIGURATIONS: [&str; 6] = [
    PER_CLIENT,
    ONE_AN_HOUR,
    r#"{"rules": []}"#,
    r#"{"rules": [{"name": "all", "limits": [{"requests": 3, "per": "1s", "algorithm": "sliding_window"}]},
        {"name": "tenant", "key": [{"header": "x-tenant"}], "on_missing_key": "shared", "on_fault": "deny",
        "limits": [{"requests": 9, "per": "1m", "algorithm": "fixed_window"}, {"requests": 2, "per": "1s"}]}]}"#,
    r#"{"client_ip": {"from": "x-forwarded-for", "trusted_proxies": ["10.0.0.0/8"]}, "store": {"max_keys": 1024},
        "rules": [{"name": "xff", "key": ["client_ip", "path", "method"], "on_missing_key": "deny",
        "limits": [{"requests": 2, "per": "calendar_day", "algorithm": "fixed_window"}]}],
        "response": {"headers": ["x-ratelimit", "ietf-draft-11"], "reset": "epoch",
        "body": {"json": {"left": "{remaining}", "in": "{retry_after}"}}}}"#,
    r#"{"rules": [{"name": "broken"}]}"#,
];

/// What only Envoy's host can do.
const WITH_LIMITER: [&str; 3] = [
    PER_REQUEST,
    r#"{"limiter": {"engine": "envoy_ratelimit", "cluster": "ratelimit:8080", "proxies": 1, "on_error": "deny", "max_parked": 5},
        "rules": [{"name": "local", "key": ["client_ip"], "limits": [{"requests": 3, "per": "1s"}]},
        {"name": "tenant", "key": [{"header": "x-tenant"}, "path"], "on_missing_key": "shared", "on_fault": "deny",
        "global": {"mode": "per_request"},
        "limits": [{"requests": 9, "per": "1m"}, {"requests": 90, "per": "1h"}]}],
        "response": {"headers": ["x-ratelimit", "ietf-draft-11"]}}"#,
    r#"{"limiter": {"engine": "gubernator", "cluster": "elsewhere", "proxies": 3, "on_error": "allow"},
        "rules": [{"name": "all", "global": {"mode": "per_request"}, "limits": [{"requests": 9, "per": "1m"}]}]}"#,
];

const CALLS: [&str; 15] = [
    "get_header_map_pairs",
    "get_property",
    "get_shared_data",
    "get_header_map_value",
    "set_shared_data",
    "clock",
    "send_local_response",
    "replace_header_map_value",
    "increment_metric",
    "get_buffer_bytes",
    "enqueue_shared_queue",
    "http_call",
    "set_effective_context",
    "continue_stream",
    "set_tick_period",
];

#[test]
fn anything_in_any_order() {
    for seed in 0..8 {
        for dialect in [Dialect::Envoy, Dialect::Kong] {
            let process = Process::new(dialect);
            let mut actor = Actor {
                random: Random(seed),
                worker: Worker::new(&process),
                process,
                roots: Vec::new(),
                streams: Vec::new(),
            };
            for _ in 0..STEPS {
                actor.step();
            }
            assert!(
                actor.worker.memory() <= MAX_MEMORY,
                "{} bytes",
                actor.worker.memory()
            );
        }
    }
}

/// One worker and what the fuzzer knows of it.
struct Actor {
    random: Random,
    worker: Worker,
    process: Shared,
    roots: Vec<Root>,
    streams: Vec<u32>,
}

impl Actor {
    fn step(&mut self) {
        self.worker.take_trace();
        let script = self.faults();
        self.worker.script(script);
        match self.random.below(50) {
            0 => self.configure(),
            1 => self.delete_root(),
            2 => self.garble(),
            3 => self
                .worker
                .delete(u32::try_from(self.random.below(1_000_000)).unwrap() + 1_000_000),
            4..=6 => self.move_clocks(),
            7..=8 => self.tick(),
            9..=18 => self.open(),
            19..=28 => self.with_stream(|worker, stream| {
                // No host goes on with a request that was answered or waits.
                let known = &worker.host().streams[&stream];
                if known.reply.is_none() && known.flow == Flow::Going {
                    worker.request_headers(stream);
                }
            }),
            29..=33 => self.respond(),
            34..=39 => self.close(),
            40..=44 => {
                self.worker.wake();
            }
            _ => self.answer(),
        }
    }

    /// Mostly to a call that is under way.
    fn answer(&mut self) {
        let answer = match self.random.below(6) {
            0 => gone(),
            1 => CallAnswer::broken_off(),
            2 => {
                let length = self.random.below(300);
                CallAnswer::new("200", &self.random.bytes(length))
            }
            _ => {
                let few = 1 + self.random.below(4);
                let left = [None, Some(0), Some(1), Some(99)];
                let each: Vec<_> = (0..few).map(|_| self.random.pick(&left)).collect();
                told(&each)
            }
        };
        let under_way = &self.worker.host().http_calls.under_way;
        let calls: Vec<u32> = under_way.keys().copied().collect();
        if calls.is_empty() || self.random.below(8) == 0 {
            let root = u32::try_from(self.random.below(60)).unwrap();
            let call = u32::try_from(self.random.below(60)).unwrap();
            // Kong's host tells nobody of a stream's call but in that stream.
            match calls.contains(&call) && self.worker.host().dialect() == Dialect::Kong {
                true => self.worker.answer(call, answer),
                false => self.worker.answer_to(root, call, answer),
            }
        } else {
            let call = self.random.pick(&calls);
            self.worker.answer(call, answer);
        }
    }

    /// Mostly none.
    fn faults(&mut self) -> Script {
        let at = match self.random.below(6) {
            0 => At::Position(self.random.below(12)),
            1 => At::Every(self.random.pick(&CALLS)),
            _ => return Script::default(),
        };
        // Bytes can only be scripted for a call that returns some.
        let name = self.random.pick(&CALLS[..4]);
        if self.random.below(3) == 0 {
            let length = self.random.below(600);
            let bytes = self.random.bytes(length);
            return Script::new([(At::Nth(name, 0), Fault::Bytes(bytes))]);
        }
        let status = i32::try_from(self.random.below(14)).unwrap();
        Script::new([(at, Fault::Status(status))])
    }

    fn configure(&mut self) {
        let configuration = match self.random.below(2) {
            0 => self.random.pick(&WITH_LIMITER),
            _ => self.random.pick(&CONFIGURATIONS),
        };
        let root = match self.roots.last() {
            Some(root) if self.random.below(3) == 0 => {
                self.worker.configure_root(root.id, configuration);
                return;
            }
            _ => self.worker.configure(configuration),
        };
        self.roots.push(root);
        if self.roots.len() > 4 {
            let oldest = self.roots.remove(0);
            self.worker.delete(oldest.id);
        }
    }

    fn delete_root(&mut self) {
        if let Some(root) = self.roots.pop() {
            self.worker.delete(root.id);
        }
    }

    /// Mostly sets of the table: without the founding there are no counters any more, until all is forgotten.
    fn garble(&mut self) {
        let random = &mut self.random;
        let data = &mut self.process.borrow_mut().shared_data;
        if random.below(4) == 0 {
            data.forget();
            return;
        }
        let spares_founding = random.below(8) > 0;
        data.garble(|key, value| {
            if key == FOUNDING && spares_founding {
                return;
            }
            match random.below(4) {
                0 => value.truncate(random.below(value.len() + 1)),
                1 => *value = random.bytes(value.len()),
                2 => {
                    let length = random.below(400);
                    *value = random.bytes(length);
                }
                _ => (),
            }
        });
    }

    fn move_clocks(&mut self) {
        let by = [0, 1, 1_000_000, SECOND, 3_600 * SECOND, 86_400 * SECOND];
        let mut process = self.process.borrow_mut();
        match self.random.below(4) {
            0 => process.realtime = process.realtime.saturating_sub(self.random.pick(&by)),
            1 => process.monotonic = process.monotonic.saturating_sub(self.random.pick(&by)),
            _ => process.advance(self.random.pick(&by)),
        }
    }

    fn tick(&mut self) {
        if let Some(root) = self.roots.first() {
            self.worker.tick(*root);
        }
    }

    fn open(&mut self) {
        if self.streams.len() == MAX_STREAMS {
            self.close();
        }
        let root = match self.roots.len() {
            0 => Root {
                id: 77,
                accepted: false,
            },
            count => self.roots[self.random.below(count)],
        };
        let mut request = Request::get(self.random.pick(&["/", "/a/b?q=1", "", "*", "//%00"]));
        if self.random.below(2) == 0 {
            let length = self.random.below(40);
            request = request.raw_header(b"x-tenant", &self.random.bytes(length));
        }
        if self.random.below(2) == 0 {
            let address = self
                .random
                .pick(&["203.0.113.9, 10.0.0.1", "10.0.0.1", ",", "::1", "x"]);
            request = request.header("x-forwarded-for", address);
        }
        if self.random.below(4) == 0 {
            request = request.grpc();
        }
        self.streams.push(self.worker.open(root, &request));
    }

    fn with_stream(&mut self, act: impl FnOnce(&mut Worker, u32)) {
        if let Some(index) = self.any_stream() {
            act(&mut self.worker, self.streams[index]);
        }
    }

    /// A response; whoever waits still was answered by the proxy itself, and ends.
    fn respond(&mut self) {
        if let Some(index) = self.any_stream_without_calls() {
            let stream = self.streams[index];
            let flow = self.worker.host().streams[&stream].flow;
            self.worker.response_headers(stream);
            if flow == Flow::Paused {
                self.worker.close(self.streams.swap_remove(index));
            }
        }
    }

    fn close(&mut self) {
        if let Some(index) = self.any_stream_without_calls() {
            self.worker.close(self.streams.swap_remove(index));
        }
    }

    /// One that can end: on Kong all of its calls have been answered, whether its client is there or not.
    fn any_stream_without_calls(&mut self) -> Option<usize> {
        let index = self.any_stream()?;
        let calls = &self.worker.host().http_calls;
        (!calls.holds(self.streams[index])).then_some(index)
    }

    fn any_stream(&mut self) -> Option<usize> {
        let count = self.streams.len();
        (count > 0).then(|| self.random.below(count))
    }
}
