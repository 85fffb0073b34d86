//! The rate limit service that global rules ask, as far as its answers go, and requests that wait for it.

use crate::host::Flow;
use crate::http_calls::CallAnswer;
use crate::request::Request;
use crate::scene::Scene;

/// A hundred a minute per client, one debit for each request, without headers on responses.
pub const PER_REQUEST: &str = r#"{"limiter": {"engine": "envoy_ratelimit", "cluster": "ratelimit:8080", "proxies": 2},
    "rules": [{"name": "per-client", "key": ["client_ip"], "global": {"mode": "per_request"},
    "limits": [{"requests": 100, "per": "1m"}]}], "response": {"headers": []}}"#;

/// Ten thousand a minute per client, leased, without headers on responses.
pub const LEASED: &str = r#"{"limiter": {"engine": "envoy_ratelimit", "cluster": "ratelimit:8080", "proxies": 2},
    "rules": [{"name": "per-client", "key": ["client_ip"], "global": {},
    "limits": [{"requests": 10000, "per": "1m"}]}], "response": {"headers": []}}"#;

/// The longest that a request of [`PER_REQUEST`] waits, in nanoseconds: its `timeout` of 250 ms, and a tick.
pub const MAX_WAIT: u64 = 260_000_000;

/// [`PER_REQUEST`] with this `on_error`.
pub fn on_error(action: &str) -> String {
    let with = format!(r#""proxies": 2, "on_error": "{action}""#);
    PER_REQUEST.replace(r#""proxies": 2"#, &with)
}

/// An answer of the service: for each descriptor what is left, or `None` for one that is over.
pub fn told(remaining: &[Option<u32>]) -> CallAnswer {
    let status = |remaining: &Option<u32>| {
        let code = if remaining.is_some() {
            "OK"
        } else {
            "OVER_LIMIT"
        };
        let left = remaining.filter(|left| *left > 0);
        let left = left.map_or_else(String::new, |left| format!(r#""limitRemaining":{left}, "#));
        format!(
            r#"{{"code":"{code}", "currentLimit":{{"requestsPerUnit":100, "unit":"MINUTE"}}, {left}"durationUntilReset":"17s"}}"#
        )
    };
    let statuses: Vec<_> = remaining.iter().map(status).collect();
    let is_over = remaining.contains(&None);
    let (status, code) = match is_over {
        true => ("429", "OVER_LIMIT"),
        false => ("200", "OK"),
    };
    let statuses = statuses.join(",");
    let body = format!(r#"{{"overallCode":"{code}", "statuses":[{statuses}]}}"#);
    CallAnswer::new(status, body.as_bytes())
}

/// What the proxy itself answers with in place of a service that is gone.
pub fn gone() -> CallAnswer {
    CallAnswer::new(
        "503",
        b"upstream connect error or disconnect/reset before headers",
    )
}

/// The request of a client of its own.
pub fn from(client: usize) -> Request {
    let [_, a, b, c] = u32::try_from(client).unwrap().to_be_bytes();
    Request::get("/").from(&format!("10.{a}.{b}.{c}:80"))
}

impl Scene {
    /// The stream of a request that must wait.
    pub fn park(&mut self, request: &Request) -> u32 {
        let stream = self.worker.open(self.root, request);
        assert_eq!(self.worker.request_headers(stream), 1);
        assert!(self.waits(stream), "it was answered");
        stream
    }

    /// A worker of [`LEASED`] with twenty requests behind it, and as many granted ahead.
    pub fn leased() -> Self {
        let mut scene = Self::new(LEASED);
        // The first debit is for those who wait, the second for as many again.
        for crowd in [20, 1] {
            let streams: Vec<_> = (0..crowd).map(|_| scene.park(&from(1))).collect();
            scene.wake();
            scene.worker.answer(scene.call(), told(&[Some(9_000)]));
            assert!(scene.end(&streams).iter().all(|admitted| *admitted));
        }
        scene
    }

    /// Whether a stream waits for the module.
    pub fn waits(&self, stream: u32) -> bool {
        self.worker.host().streams[&stream].flow == Flow::Paused
    }

    /// Wakes whoever is to be woken.
    pub fn wake(&mut self) {
        while self.worker.wake() {}
    }

    /// The numbers of the calls under way.
    pub fn calls(&self) -> Vec<u32> {
        let under_way = &self.worker.host().http_calls.under_way;
        under_way.keys().copied().collect()
    }

    /// The number of the one call under way.
    pub fn call(&self) -> u32 {
        let calls = self.calls();
        assert_eq!(calls.len(), 1);
        calls[0]
    }

    /// Lets the workers call the service again, whatever has become of their calls.
    pub fn close_breaker(&mut self) {
        let shared_data = &mut self.process.borrow_mut().shared_data;
        shared_data.garble(|key, value| {
            if key.starts_with(b"b1") {
                value.fill(0);
            }
        });
    }

    /// A tick when every request has waited for as long as it may.
    pub fn tick_late(&mut self) {
        self.process.borrow_mut().advance(MAX_WAIT);
        self.worker.tick(self.root);
    }

    /// Ends streams that wait no more, and says which were admitted.
    pub fn end(&mut self, streams: &[u32]) -> Vec<bool> {
        let end = |stream: &u32| {
            assert!(!self.waits(*stream), "stream {stream} still waits");
            self.worker.response_headers(*stream);
            self.worker.close(*stream).reply.is_none()
        };
        streams.iter().map(end).collect()
    }
}
