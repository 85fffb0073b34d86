//! How a run goes.

use std::num::NonZeroU32;

use weir::global::breaker::Terms;
use weir::global::lease::Share;
use weir::global::lease::pot::Way;
use weir::global::lease::span::Windows;
use weir::global::wire::Engine;
use weir::units::Nanos;

pub const MILLI: u64 = Nanos::MILLISECOND.0;
pub const SECOND: u64 = Nanos::SECOND.0;

pub const ENGINES: [Engine; 3] = [
    Engine::EnvoyRatelimit,
    Engine::Limitador,
    Engine::Gubernator,
];

#[derive(Clone, Copy, Debug)]
pub struct Course {
    pub engine: Engine,
    pub limit: u32,
    pub period: u64,
    pub windows: u64,
    pub proxies: u32,
    pub workers: usize,
    pub keys: u64,
    pub offered: f64,
    /// The largest cost of a request; 1 in most.
    pub cost: u32,
    /// Way to the limiter and back, but for a tenth by chance.
    pub rtt: u64,
    /// How far the limiter's clock is ahead.
    pub skew: i64,
    /// Share of calls that never arrive, and of answers.
    pub lost: f64,
    /// Share of answers that come only when the call was given up, or shortly before.
    pub late: f64,
    /// Share of reads after which another worker's request comes first.
    pub crossings: f64,
    /// Share of spends that something else then refuses.
    pub given_back: f64,
    /// Workers that die, each second.
    pub deaths: f64,
    /// From when to when calls hang, which are counted when it goes on.
    pub outage: Option<(u64, u64)>,
}

pub const CALM: Course = Course {
    engine: Engine::EnvoyRatelimit,
    limit: 1_000,
    period: 60 * SECOND,
    windows: 3,
    proxies: 3,
    workers: 2,
    keys: 1,
    offered: 2.0,
    cost: 1,
    rtt: MILLI,
    skew: 0,
    lost: 0.0,
    late: 0.0,
    crossings: 0.0,
    given_back: 0.0,
    deaths: 0.0,
    outage: None,
};

pub const TICK: u64 = 20 * MILLI;
pub const MAX_WAIT: u64 = 20 * MILLI;
pub const TIMEOUT: u64 = 250 * MILLI;

pub const BREAKER: Terms = Terms {
    failures: 5,
    open: Nanos(250 * MILLI),
    max_open: Nanos(2_000 * MILLI),
    probe: Nanos(TIMEOUT),
};

impl Course {
    pub fn share(&self) -> Share {
        Share {
            limit: self.limit,
            period: Nanos(self.period),
            windows: match self.engine {
                Engine::EnvoyRatelimit => Windows::Aligned,
                Engine::Limitador | Engine::Gubernator => Windows::FirstHit,
            },
            proxies: NonZeroU32::new(self.proxies).unwrap(),
        }
    }

    pub fn way(&self) -> Way {
        Way {
            rtt: Nanos(self.rtt),
            timeout: Nanos(TIMEOUT),
        }
    }

    /// Requests a second at a proxy, at `offered` times the limit on the whole.
    pub fn rate(&self) -> f64 {
        let mean_cost = f64::from(1 + self.cost) / 2.0;
        let all = self.offered * f64::from(self.limit) * self.keys as f64
            / mean_cost
            / (self.period as f64 / SECOND as f64);
        all / f64::from(self.proxies)
    }
}
