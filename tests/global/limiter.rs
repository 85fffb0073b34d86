//! The limiters, as their sources tell: who counts what, and what they say of it.

use std::collections::HashMap;

use weir::global::wire::{Counter, Engine, Reset, Told};
use weir::units::{Instant, Nanos, Now, UnixTime};

use crate::chance::Chance;
use crate::course::{Course, SECOND};

/// Virtual times begin here: so much past the zero of the monotonic clock, at a minute of Unix time.
const MONOTONIC: u64 = 7_000 * SECOND;
const UNIX: u64 = 29_000_000 * 60 * SECOND;

pub fn now(time: u64) -> Now {
    Now {
        monotonic: Instant(MONOTONIC + time),
        unix: UnixTime(UNIX + time),
    }
}

/// What is counted apart: the rule's first letter, its limit, and the key.
pub type Counted = (char, usize, u64);

/// One ask of a call, as it reaches the limiter.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    pub counted: Counted,
    pub hits: u32,
    pub limit: u32,
    pub period: u64,
}

/// One window of one key.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    number: u64,
    /// On the limiter's clock.
    end: u64,
    used: u64,
    /// Gubernator: has refused with nothing left.
    closed: bool,
    /// Limitador: has not answered a grant yet.
    fresh: bool,
}

/// What a limiter says, and the window that it was counted in.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    pub told: Told,
    pub window: u64,
}

#[derive(Debug)]
pub struct Limiter {
    engine: Engine,
    skew: i64,
    /// Whether it admits half of what it did.
    pub is_halved: bool,
    windows: HashMap<Counted, Window>,
}

impl Limiter {
    pub fn new(course: &Course) -> Self {
        Self {
            engine: course.engine,
            skew: course.skew,
            is_halved: false,
            windows: HashMap::new(),
        }
    }

    /// Its own Unix time.
    fn clock(&self, time: u64) -> u64 {
        (UNIX + time).checked_add_signed(self.skew).unwrap()
    }

    /// Where it keeps the limits itself, what it keeps.
    fn limit(&self, ask: &Ask, limit: u32) -> u32 {
        match self.engine {
            Engine::Gubernator => ask.limit,
            _ if ask.counted.1 > 0 => ask.limit,
            _ if self.is_halved => limit / 2,
            _ => limit,
        }
    }

    pub fn hit(&mut self, ask: &Ask, limit: u32, time: u64, chance: &mut Chance) -> Reply {
        let (clock, engine, hits) = (self.clock(time), self.engine, ask.hits);
        let (limit, period) = (self.limit(ask, limit), ask.period);
        let window = self.windows.entry(ask.counted).or_default();
        if clock >= window.end {
            let begin = match engine {
                Engine::EnvoyRatelimit => clock / period * period,
                Engine::Gubernator => clock / 1_000_000 * 1_000_000,
                Engine::Limitador => clock,
            };
            *window = Window {
                number: window.number + 1,
                end: begin + period,
                fresh: true,
                ..Window::default()
            };
        }
        let left = u64::from(limit).saturating_sub(window.used);
        let fits = u64::from(hits) <= left && !window.closed;
        if fits || engine == Engine::EnvoyRatelimit {
            window.used += u64::from(hits);
        }
        window.closed |= engine == Engine::Gubernator && left == 0 && hits > 0;
        let left = u64::from(limit).saturating_sub(window.used) as u32;
        let seconds = (window.end - clock) / SECOND;
        let ambiguous = std::mem::take(&mut window.fresh) && chance.below(2) == 0;
        let reset = match engine {
            Engine::EnvoyRatelimit => {
                let seconds = (period - clock % period).div_ceil(SECOND);
                Reset::RoundedUp(Nanos(seconds * SECOND))
            }
            Engine::Limitador if ambiguous => Reset::RoundedDown(Nanos(0)),
            Engine::Limitador => Reset::RoundedDown(Nanos(seconds * SECOND)),
            Engine::Gubernator => Reset::At(UnixTime(window.end)),
        };
        let counter = Counter {
            limit,
            per: Some(Nanos(period)),
            remaining: (fits || engine != Engine::Limitador).then_some(left),
            reset: Some(reset),
        };
        Reply {
            told: Told {
                granted: fits,
                counter: Some(counter),
            },
            window: window.number,
        }
    }

    /// The window that what is spent now belongs to: the number of the last one that was hit, and whether it
    /// has not ended.
    pub fn window(&self, counted: Counted, time: u64) -> (u64, bool) {
        let window = self.windows.get(&counted).copied().unwrap_or_default();
        (window.number, self.clock(time) < window.end)
    }
}
