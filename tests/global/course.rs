//! How a run goes.

use weir::config;
use weir::global::wire::Engine;
use weir::plan::Plan;
use weir::units::Nanos;

pub const MILLI: u64 = Nanos::MILLISECOND.0;
pub const SECOND: u64 = Nanos::SECOND.0;

pub const ENGINES: [Engine; 3] = [
    Engine::EnvoyRatelimit,
    Engine::Limitador,
    Engine::Gubernator,
];

/// How requests come, at `offered` times the limit on the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Alike everywhere.
    Even,
    /// Four of five at the first proxy.
    Skewed,
    /// For a second in four.
    Bursts,
}

/// What the limiter does while it is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// Nobody listens.
    Refuses,
    /// The proxy knows of no healthy host: no call can be begun.
    Gone,
    /// Calls hang, and are counted when it goes on.
    Hangs,
}

/// A configuration that takes the place of the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// The same.
    Same,
    /// With half of the limit, at the limiter too.
    Half,
}

#[derive(Clone, Copy, Debug)]
pub struct Course {
    pub engine: Engine,
    pub on_error: &'static str,
    pub limit: u32,
    pub period: u64,
    pub windows: u64,
    pub proxies: u32,
    pub workers: usize,
    pub keys: u64,
    pub load: Load,
    pub offered: f64,
    /// Keys that are seen once, a second and proxy.
    pub invented: f64,
    pub cold_keys_per_second: u32,
    pub max_parked: u32,
    /// Whether a request asks for itself too, under a rule of as much.
    pub each: bool,
    /// A second limit of the leased rule, in ten times the period.
    pub second: Option<u32>,
    /// A limit of each proxy's own, for each of its ten clients, a second.
    pub here: Option<u32>,
    /// Way to the limiter and back, but for a tenth by chance.
    pub rtt: u64,
    /// How far the limiter's clock is ahead.
    pub skew: i64,
    /// Share of calls that never arrive, and of answers.
    pub lost: f64,
    /// Share of answers that come only when the call was given up, or shortly before.
    pub late: f64,
    /// Share of answers that nobody can read, and of asks that fail alone.
    pub garbled: f64,
    /// Share of reads of the shared data after which another worker comes first.
    pub crossings: f64,
    /// Share of requests whose clients go within 10 ms.
    pub leaving: f64,
    /// Workers that die, each second.
    pub deaths: f64,
    pub outage: Option<(Outage, u64, u64)>,
    pub reload: Option<(Reload, u64)>,
}

pub const CALM: Course = Course {
    engine: Engine::EnvoyRatelimit,
    on_error: "deny",
    limit: 1_000,
    period: 60 * SECOND,
    windows: 3,
    proxies: 3,
    workers: 2,
    keys: 1,
    load: Load::Even,
    offered: 2.0,
    invented: 0.0,
    cold_keys_per_second: 1_000,
    max_parked: 1_024,
    each: false,
    second: None,
    here: None,
    rtt: MILLI,
    skew: 0,
    lost: 0.0,
    late: 0.0,
    garbled: 0.0,
    crossings: 0.0,
    leaving: 0.0,
    deaths: 0.0,
    outage: None,
    reload: None,
};

/// What the configuration says when it says nothing.
pub const MAX_WAIT: u64 = 20 * MILLI;
pub const TIMEOUT: u64 = 250 * MILLI;

/// The letter that a rule of leases begins with, and that of one that asks for each request.
pub const LEASED: char = 's';
pub const EACH: char = 'e';

impl Course {
    /// What runs, at so much of the limit.
    pub fn plan(&self, limit: u32) -> Plan {
        let engine = match self.engine {
            Engine::EnvoyRatelimit => "envoy_ratelimit",
            Engine::Limitador => "limitador",
            Engine::Gubernator => "gubernator",
        };
        let per = |period: u64| format!("{}s", period / SECOND);
        let one = |limit: u32, period: u64| {
            format!(r#"{{"requests": {limit}, "per": "{}"}}"#, per(period))
        };
        let mut limits = one(limit, self.period);
        if let Some(second) = self.second {
            limits = format!("{limits}, {}", one(second, 60 * self.period));
        }
        let mut rules = Vec::new();
        if let Some(here) = self.here {
            rules.push(format!(
                r#"{{"name": "here", "key": ["client_ip"], "limits": [{}]}}"#,
                one(here, SECOND)
            ));
        }
        rules.push(format!(
            r#"{{"name": "shared", "key": ["path"], "global": {{}}, "limits": [{limits}]}}"#
        ));
        if self.each {
            rules.push(format!(
                r#"{{"name": "each", "global": {{"mode": "per_request"}}, "limits": [{}]}}"#,
                one(limit, self.period)
            ));
        }
        let text = format!(
            r#"{{"limiter": {{"engine": "{engine}", "cluster": "c", "proxies": {}, "on_error": "{}",
                "max_parked": {}, "cold_keys_per_second": {}}}, "rules": [{}]}}"#,
            self.proxies,
            self.on_error,
            self.max_parked,
            self.cold_keys_per_second,
            rules.join(", "),
        );
        config::load(text.as_bytes(), &|_| None)
            .unwrap_or_else(|errors| panic!("{errors:?} {text}"))
    }

    /// Requests a second at a proxy, when it has any.
    pub fn rate(&self, proxy: usize) -> f64 {
        let all = self.offered * f64::from(self.limit) * self.keys as f64
            / (self.period as f64 / SECOND as f64);
        let others = f64::from(self.proxies - 1);
        match self.load {
            Load::Even => all / f64::from(self.proxies),
            Load::Bursts => 4.0 * all / f64::from(self.proxies),
            Load::Skewed if self.proxies == 1 => all,
            Load::Skewed if proxy == 0 => 0.8 * all,
            Load::Skewed => 0.2 * all / others,
        }
    }

    /// Whether requests come at this time.
    pub fn is_busy(&self, time: u64) -> bool {
        self.load != Load::Bursts || (time / SECOND).is_multiple_of(4)
    }

    pub fn is_down(&self, time: u64) -> Option<Outage> {
        let (outage, from, until) = self.outage?;
        (from..until).contains(&time).then_some(outage)
    }
}
