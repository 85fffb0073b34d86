//! How much to debit ahead of need.
//!
//! ```text
//! T   = max(2 % of the period, 2·rtt), at most 300 ms      the time that a lease should last
//! cap = R / 4N                                              R is left at the limiter, N proxies share it
//! B   = min(rate·(T + rtt) + what waits, cap, in the first lease of a window 1 % of the limit)
//! ```
//! and never less than what waits first, nor more than R: some engines burn what is left when a debit does not
//! fit. Below a cap of 2 each request is debited by itself, so that the end of a quota is exact.

pub mod debit;
pub mod draw;
pub mod pot;
pub mod pots;
pub mod span;

use std::num::NonZeroU32;

use span::Windows;

use crate::local::store::checksum;
use crate::units::{Instant, Nanos, Numbers};

/// The longest that a lease should last: what it holds is out of the other proxies' reach.
const MAX_HORIZON: Nanos = Nanos(300 * Nanos::MILLISECOND.0);

/// Requests are counted over spans of this length: long enough that a few of them are no rate, short enough
/// that a rate is known soon after it has changed.
const COUNTED: Nanos = Nanos(500 * Nanos::MILLISECOND.0);

/// One limit, and how many share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Cost admitted per period, by all proxies together.
    pub limit: u32,
    /// Length of a window.
    pub period: Nanos,
    /// Where the engine's windows begin.
    pub windows: Windows,
    /// Proxies that share it.
    pub proxies: NonZeroU32,
}

/// One limit of a rule, of which proxies take leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leased {
    /// What there is, and for how many.
    pub share: Share,
    /// Tells its pots from those of any other limit, or of the same one at another limiter.
    pub mark: u64,
}

impl Leased {
    /// The fingerprint of the pot for a key with such a fingerprint.
    #[must_use]
    pub fn pot(&self, key: u64) -> u64 {
        let mut name = [0; 16];
        let (of_key, of_limit) = name.split_at_mut(size_of::<u64>());
        of_key.copy_from_slice(&key.to_le_bytes());
        of_limit.copy_from_slice(&self.mark.to_le_bytes());
        // Zero is what an empty place says.
        checksum(&name).max(1)
    }
}

/// What a lease is wanted for. All but the time is cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Expected until the answer to the next debit but one.
    pub expected: u32,
    /// What requests wait for.
    pub waiting: u32,
    /// What the first of them lacks; 0 when none waits.
    pub least: u32,
    /// Left at the limiter when it was last heard, less what was debited since; `None` when nothing was heard
    /// in this window.
    pub remaining: Option<u32>,
}

impl Share {
    /// The same share of what the limiter counts by.
    #[must_use]
    pub const fn counted_by(&self, numbers: Numbers) -> Self {
        Self {
            limit: numbers.requests,
            period: numbers.per,
            ..*self
        }
    }

    /// How long a lease should last, for calls that take `rtt`.
    #[must_use]
    pub fn horizon(&self, rtt: Nanos) -> Nanos {
        let long = Nanos(self.period.0 / 50).max(Nanos(rtt.0.saturating_mul(2)));
        long.min(MAX_HORIZON)
    }

    /// How much to debit; 0 when it is better to wait until somebody asks.
    #[must_use]
    pub fn lease(&self, need: Need) -> u32 {
        let remaining = need.remaining.unwrap_or(self.limit);
        if self.is_ending(remaining) {
            return need.least;
        }
        let first = need.remaining.map_or(self.limit / 100, |_| u32::MAX);
        let wanted = need.expected.saturating_add(need.waiting);
        wanted.min(self.cap(remaining)).min(first).max(need.least)
    }

    /// Whether so little is left that each request is debited by itself.
    #[must_use]
    pub fn is_ending(&self, remaining: u32) -> bool {
        self.cap(remaining) < 2
    }

    /// What a proxy may admit in one window without its limiter; the limit's share when nothing was heard of
    /// the window.
    #[must_use]
    pub fn alone(&self, remaining: Option<u32>) -> u32 {
        let share = remaining.unwrap_or(self.limit) / self.proxies;
        share.max(1).min(self.limit)
    }

    /// The share of what is left that one debit may take.
    fn cap(&self, remaining: u32) -> u32 {
        remaining / 4 / self.proxies
    }
}

/// How fast something is spent: counted over a span, since the gap between two requests says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Begin of the span that is being counted.
    pub since: Instant,
    /// Cost in it so far.
    pub current: u32,
    /// Cost in the one before; 0 when counting began with this one.
    pub previous: u32,
}

impl Rate {
    /// Counts `cost`.
    pub fn count(&mut self, now: Instant, cost: u32) {
        *self = self.at(now);
        self.current = self.current.saturating_add(cost);
    }

    /// What to expect within a time to come, rounded up. Of what has only begun it is no more than what came.
    #[must_use]
    pub fn expected(&self, now: Instant, within: Nanos) -> u32 {
        let at = self.at(now);
        let elapsed = now.since(at.since);
        let counted = if at.previous == 0 {
            elapsed.max(within)
        } else {
            Nanos(COUNTED.0 + elapsed.0)
        };
        let cost = u128::from(at.current) + u128::from(at.previous);
        let expected = (cost * u128::from(within.0)).div_ceil(u128::from(counted.0.max(1)));
        u32::try_from(expected).unwrap_or(u32::MAX)
    }

    /// The spans as they are at `now`.
    fn at(self, now: Instant) -> Self {
        let elapsed = now.since(self.since).0;
        if elapsed < COUNTED.0 {
            return self;
        }
        if elapsed < 2 * COUNTED.0 && self.current > 0 {
            return Self {
                since: self.since.plus(COUNTED),
                current: 0,
                previous: self.current,
            };
        }
        Self {
            since: now,
            current: 0,
            previous: 0,
        }
    }
}

#[cfg(test)]
mod tests;
