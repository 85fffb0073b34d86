//! The limiters, as LIMITERS tells them: who counts what, and what they say of it.

use std::collections::HashMap;

use weir::global::lease::debit::{Answer, Debit};
use weir::global::lease::span::{Ends, Flight};
use weir::global::wire::Reset;
use weir::units::{Instant, Nanos, Now, UnixTime};

use crate::chance::Chance;
use crate::course::{Course, Engine, SECOND};

/// Virtual times begin here: so much past the zero of the monotonic clock, at a minute of Unix time.
const MONOTONIC: u64 = 7_000 * SECOND;
const UNIX: u64 = 29_000_000 * 60 * SECOND;

pub fn now(time: u64) -> Now {
    Now {
        monotonic: Instant(MONOTONIC + time),
        unix: UnixTime(UNIX + time),
    }
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

/// What a limiter says.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    pub granted: bool,
    remaining: Option<u32>,
    reset: Reset,
    /// The window that it was counted in.
    pub window: u64,
}

#[derive(Debug)]
pub struct Limiter {
    course: Course,
    windows: HashMap<u64, Window>,
}

impl Limiter {
    pub fn new(course: Course) -> Self {
        Self {
            course,
            windows: HashMap::new(),
        }
    }

    /// Its own Unix time.
    fn clock(&self, time: u64) -> u64 {
        (UNIX + time).checked_add_signed(self.course.skew).unwrap()
    }

    pub fn hit(&mut self, key: u64, time: u64, hits: u32, chance: &mut Chance) -> Reply {
        let clock = self.clock(time);
        let Course {
            engine,
            period,
            limit,
            ..
        } = self.course;
        let window = self.windows.entry(key).or_default();
        if clock >= window.end {
            let begin = match engine {
                Engine::Ratelimit => clock / period * period,
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
        if fits || engine == Engine::Ratelimit {
            window.used += u64::from(hits);
        }
        window.closed |= engine == Engine::Gubernator && left == 0 && hits > 0;
        let left = u64::from(limit).saturating_sub(window.used) as u32;
        let seconds = (window.end - clock) / SECOND;
        let ambiguous = std::mem::take(&mut window.fresh) && chance.below(2) == 0;
        Reply {
            granted: fits,
            remaining: (fits || engine != Engine::Limitador).then_some(left),
            reset: match engine {
                Engine::Ratelimit => {
                    let seconds = (period - clock % period).div_ceil(SECOND);
                    Reset::RoundedUp(Nanos(seconds * SECOND))
                }
                Engine::Limitador if ambiguous => Reset::RoundedDown(Nanos(0)),
                Engine::Limitador => Reset::RoundedDown(Nanos(seconds * SECOND)),
                Engine::Gubernator => Reset::At(UnixTime(window.end)),
            },
            window: window.number,
        }
    }

    /// The window that what is spent now belongs to: the number of the last one that was hit, and whether it
    /// has not ended.
    pub fn window(&self, key: u64, time: u64) -> (u64, bool) {
        let window = self.windows.get(&key).copied().unwrap_or_default();
        (window.number, self.clock(time) < window.end)
    }
}

impl Reply {
    pub fn answer(&self, debit: &Debit, time: u64, course: &Course) -> Answer {
        let flight = Flight {
            sent: debit.sent,
            received: now(time),
        };
        Answer {
            granted: self.granted,
            remaining: self.remaining,
            ends: Ends::told(flight, Some(self.reset), Nanos(course.period)),
            burns: course.engine == Engine::Ratelimit,
        }
    }
}
