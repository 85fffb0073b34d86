//! When the limiter is left alone: the state that all workers of a proxy share, in one number.
//!
//! ```text
//! Closed ──failures──► Open ──time──► Probing ──success──► Closed
//!                       ▲                 └────failure───► Open, for twice as long
//! ```
//! While it is open nobody calls. Then one worker sends one probe, which is never a request's own debit; a probe
//! whose worker has died is forgotten after its time.

mod shared;

pub use shared::SharedBreaker;

use crate::units::{Instant, Nanos};

/// Failures are counted over spans of this length.
const COUNTED: Millis = Millis(10_000);

/// Fewer calls in a span than this are too few to be judged by their share.
const FEW: u8 = 20;

/// When to open, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Failures in a row that open it; more than half of 20 calls or more in 10 s do too.
    pub failures: u8,
    /// How long it is open at first. Each time is up to a quarter shorter, so that proxies do not come back
    /// together.
    pub open: Nanos,
    /// How long at most: it doubles each time until then, and begins anew after 10 s without.
    pub max_open: Nanos,
    /// How long a probe may take.
    pub probe: Nanos,
}

/// The state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    phase: Phase,
    /// When the phase ends; in [`Phase::Closed`] when the span began. Wraps.
    time: Millis,
    /// Failures since the last success.
    in_row: u8,
    /// Calls that ended in this span, and how many of them failed. Both are halved rather than overflow.
    calls: u8,
    failed: u8,
    /// How often it opened without 10 s between; at most [`MOST_DOUBLINGS`].
    opened: u8,
}

/// What a worker may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Call.
    Call,
    /// Send a probe, once [`Event::ProbeSent`] is written.
    Probe,
    /// Neither, for this long.
    Wait(Nanos),
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A call was answered as the engine answers.
    Answered,
    /// A call was not.
    Failed,
    /// A probe is sent.
    ProbeSent,
    /// The probe was answered.
    ProbeAnswered,
    /// The probe was not.
    ProbeFailed,
}

/// What the log should tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nobody calls for this long.
    Opened(Reason, Nanos),
    /// A probe was answered: everybody calls again.
    Closed,
}

/// Why it opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// So many failures in a row.
    InRow(u8),
    /// More than half of the calls of a span: so many of so many.
    Share(u8, u8),
    /// The probe failed.
    Probe,
}

impl Change {
    /// Whether the service is left alone from it on.
    #[must_use]
    pub const fn opens(self) -> bool {
        matches!(self, Self::Opened(..))
    }
}

impl Breaker {
    /// What a worker may do now.
    #[must_use]
    pub fn permit(&self, now: Instant, terms: &Terms) -> Permit {
        let now = Millis::of(now);
        let longest = match self.phase {
            Phase::Closed => return Permit::Call,
            Phase::Open => Millis::up(terms.max_open.max(terms.open)),
            Phase::Probing => Millis::up(terms.probe),
        };
        match self.time.after(now) {
            // Longer than it can be: the number has wrapped since.
            left if left.0 == 0 || left > longest => Permit::Probe,
            left => Permit::Wait(Nanos(left.0 * Nanos::MILLISECOND.0)),
        }
    }

    /// Whether the service is left alone.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase != Phase::Closed
    }

    /// The state after an event, and what to tell of it. `jitter` is any random number.
    #[must_use]
    pub fn after(
        self,
        event: Event,
        now: Instant,
        terms: &Terms,
        jitter: u64,
    ) -> (Self, Option<Change>) {
        match (self.phase, event) {
            (Phase::Closed, Event::Answered) => (self.counted(now, false), None),
            (Phase::Closed, Event::Failed) => {
                let counted = self.counted(now, true);
                match counted.reason(terms) {
                    Some(reason) => counted.opened(reason, now, terms, jitter),
                    None => (counted, None),
                }
            }
            // Where it is not time for one, somebody else's is under way.
            (_, Event::ProbeSent) if self.permit(now, terms) == Permit::Probe => {
                let probing = Self {
                    phase: Phase::Probing,
                    time: Millis::of(now).plus(Millis::up(terms.probe)),
                    ..self
                };
                (probing, None)
            }
            (Phase::Probing, Event::ProbeAnswered) => {
                let closed = Self {
                    time: Millis::of(now),
                    opened: self.opened,
                    ..Self::default()
                };
                (closed, Some(Change::Closed))
            }
            (Phase::Probing, Event::ProbeFailed) => self.opened(Reason::Probe, now, terms, jitter),
            // A call from before it opened, or a probe that somebody else's has overtaken.
            _ => (self, None),
        }
    }

    /// The state in one number, for a shared value; a closed breaker that knows nothing is 0.
    #[must_use]
    pub const fn encode(&self) -> u64 {
        let [in_row, calls, failed] = [self.in_row, self.calls, self.failed];
        u64::from_le_bytes([in_row, calls, failed, 0, 0, 0, 0, 0])
            | (self.opened as u64) << OPENED_SHIFT
            | (self.phase as u64) << PHASE_SHIFT
            | self.time.0 << TIME_SHIFT
    }

    /// A state from such a number; from any other a state that the next events set right.
    #[must_use]
    pub const fn decode(number: u64) -> Self {
        let [in_row, calls, failed, rest, ..] = number.to_le_bytes();
        Self {
            phase: match rest & PHASE_MASK {
                1 => Phase::Open,
                2 => Phase::Probing,
                _ => Phase::Closed,
            },
            time: Millis(number >> TIME_SHIFT),
            in_row,
            calls,
            failed,
            opened: rest >> 2 & MOST_DOUBLINGS,
        }
    }

    fn counted(self, now: Instant, failed: bool) -> Self {
        let now = Millis::of(now);
        let mut counted = self;
        // One that seems to begin later is from before the number wrapped.
        if now.after(self.time).max(self.time.after(now)) >= COUNTED {
            counted = Self {
                time: now,
                in_row: self.in_row,
                ..Self::default()
            };
        }
        if counted.calls == u8::MAX {
            counted.calls /= 2;
            counted.failed /= 2;
        }
        counted.calls += 1;
        if failed {
            counted.failed = counted.failed.saturating_add(1);
            counted.in_row = counted.in_row.saturating_add(1);
        } else {
            counted.in_row = 0;
        }
        counted
    }

    fn reason(&self, terms: &Terms) -> Option<Reason> {
        if self.in_row >= terms.failures {
            return Some(Reason::InRow(self.in_row));
        }
        let is_most = self.calls >= FEW && self.failed > self.calls / 2;
        is_most.then_some(Reason::Share(self.failed, self.calls))
    }

    fn opened(
        self,
        reason: Reason,
        now: Instant,
        terms: &Terms,
        jitter: u64,
    ) -> (Self, Option<Change>) {
        let doubled = terms.open.0.saturating_mul(1 << self.opened);
        let longest = doubled.min(terms.max_open.max(terms.open).0);
        let spread = (u128::from(longest / 4) * u128::from(jitter)) >> u64::BITS;
        let open = Nanos(longest - u64::try_from(spread).unwrap_or(0));
        let opened = Self {
            phase: Phase::Open,
            time: Millis::of(now).plus(Millis::up(open)),
            opened: (self.opened + 1).min(MOST_DOUBLINGS),
            ..Self::default()
        };
        (opened, Some(Change::Opened(reason, open)))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    #[default]
    Closed = 0,
    Open = 1,
    Probing = 2,
}

/// A monotonic time in milliseconds, or a span of it, that wraps after about 198 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Millis(u64);

impl Millis {
    const fn of(instant: Instant) -> Self {
        Self((instant.0 / Nanos::MILLISECOND.0) & TIME_MASK)
    }

    /// A span, rounded up: nothing ends early.
    const fn up(span: Nanos) -> Self {
        Self(span.0.div_ceil(Nanos::MILLISECOND.0))
    }

    const fn plus(self, span: Self) -> Self {
        Self((self.0 + span.0) & TIME_MASK)
    }

    /// Time from `earlier` to this; zero when it is later.
    const fn after(self, earlier: Self) -> Self {
        let after = self.0.wrapping_sub(earlier.0) & TIME_MASK;
        Self(if after > TIME_MASK / 2 { 0 } else { after })
    }
}

const PHASE_MASK: u8 = 3;
const PHASE_SHIFT: u32 = 24;
const OPENED_SHIFT: u32 = 26;
const TIME_SHIFT: u32 = 30;
const TIME_MASK: u64 = u64::MAX >> TIME_SHIFT;

/// More than any configured interval doubles.
const MOST_DOUBLINGS: u8 = 15;

#[cfg(test)]
mod tests;
