//! What a proxy holds of one limit for one key: debited at the limiter, not spent yet.
//!
//! One pot for all workers of a proxy, in shared data, so that they are one lease holder and a worker that dies
//! loses nothing. Whoever changes it reads it, changes it and writes it by compare-and-swap; who loses the race
//! begins again. A pot that cannot be read, or was never written, is an empty one: what it held lapses, which
//! admits nothing.
//!
//! The limiter's *remaining* only decides how much to ask for. What may be spent is what was granted, in the
//! window in which it was debited.

use super::debit::{Debit, Failure};
use super::span::Ends;
use super::{Need, Rate, Share};
use crate::units::{Instant, Nanos, Now, Numbers};

mod alone;
mod answer;
mod encoding;
mod told;

pub use alone::Alone;
pub use encoding::POT_LEN;
use told::Told;

/// A proxy's part of one limit for one key. Amounts are cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pot {
    /// The window that everything here belongs to; none before the first answer and when it has ended.
    window: Option<Ends>,
    /// Counts the windows: a number for each that was ever opened; wraps.
    number: u32,
    /// Granted and not spent.
    tokens: u32,
    /// `tokens` after the last grant.
    leased: u32,
    /// Left at the limiter as last told in this window.
    remaining: Option<u32>,
    /// When the debit was sent whose answer told it.
    told_at: Instant,
    /// Until then the limiter need not be asked.
    refused_until: Instant,
    /// Asked for and not answered, by all workers.
    in_flight: u32,
    /// When the first of that will not be answered any more.
    in_flight_until: Instant,
    /// Until then somebody's call is under way that asks for what will be spent, not only for what waits.
    ahead_until: Instant,
    /// Asked for and never answered: debited or not, nobody knows.
    doubtful: u32,
    /// Admitted without the limiter since it last told what is left.
    alone: u32,
    /// Of that, what the limiter must still be told.
    owed: u32,
    /// How fast it is spent.
    rate: Rate,
    /// What the limiter said last that it counts by, in whatever window; and whether it only watches it, in this one.
    told: Told,
}

/// What a request finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Spend {
    /// Its cost was taken from what was debited.
    Spent {
        /// What to give it back to.
        window: u32,
        /// Whether the pot should be refilled: half of the lease is spent and nobody has asked for more.
        low: bool,
    },
    /// There is not enough: park it and ask.
    Short,
    /// The limiter has refused, or has less than this left.
    Refused {
        /// When surely a new window has begun.
        until: Instant,
    },
}

/// Requests of one worker that wait for this pot, in cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// All of them.
    pub all: u32,
    /// The first of them; 0 when none waits.
    pub first: u32,
    /// What calls of this worker ask for already.
    pub asked: u32,
    /// Whether others found it empty who do not wait for it, but ask for themselves.
    pub ahead: bool,
}

/// The way to the limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// How long calls take there.
    pub rtt: Nanos,
    /// How long one may take.
    pub timeout: Nanos,
}

/// What a worker should do about a pot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// Debit this; the pot counts on an answer, so it must be written first.
    Debit(Debit),
    /// What is left was asked for already: its answers decide.
    Wait,
    /// Whoever waits can be served, or refused, from the pot as it is; or nothing is needed.
    Rest,
}

impl Pot {
    /// Lets go what has ended, and tells how much lapsed. First of all, whenever a pot was read.
    pub fn lapse(&mut self, now: Instant) -> u32 {
        if self.in_flight_until <= now {
            self.doubtful = self.doubtful.saturating_add(self.in_flight);
            self.in_flight = 0;
        }
        let Some(window) = self.window else { return 0 };
        if window.is_open(now) {
            return 0;
        }
        if window.earliest <= now {
            return self.close();
        }
        self.leased = 0;
        std::mem::take(&mut self.tokens)
    }

    /// A request spends.
    pub fn spend(&mut self, now: Instant, cost: u32) -> Spend {
        if let Some(left) = self.tokens.checked_sub(cost) {
            self.tokens = left;
            self.rate.count(now, cost);
            return Spend::Spent {
                window: self.number,
                low: self.is_low(now),
            };
        }
        match self.refusal(now, cost) {
            Some(until) => Spend::Refused { until },
            None => Spend::Short,
        }
    }

    /// What a worker should do. While a call of its own is under way it asks for more only of a quota's end, where each
    /// request is debited by itself: one after the other they would wait for too long.
    pub fn next(&mut self, share: &Share, now: Now, waiting: Waiting, way: Way) -> Next {
        let share = &self.share(share);
        let is_turning = share.windows.are_turning(now, share.period);
        let now = now.monotonic;
        let least = waiting.first.saturating_sub(self.tokens);
        let is_dry = waiting.ahead && self.tokens == 0 && self.ahead_until <= now;
        if least == 0 && !((is_dry || self.is_low(now)) && self.is_open(now)) {
            return Next::Rest;
        }
        if least > 0 && self.refusal(now, least).is_some() {
            return Next::Rest;
        }
        if least > 0
            && let Some(owed) = self.debt_beyond()
        {
            let none = Need::default();
            return match self.in_flight {
                0 => Next::Debit(self.debit(now, 0, owed, none, way)),
                _ => Next::Wait,
            };
        }
        let left = self.left(share);
        // A debit of one that does not fit burns nothing.
        if least > 1 && left.is_some_and(|left| least > left) {
            return Next::Wait;
        }
        let left = left.map(|left| left.saturating_sub(self.doubtful));
        if waiting.asked > 0 {
            let known = left.unwrap_or(share.limit.saturating_sub(self.in_flight));
            let covered = self.tokens.saturating_add(waiting.asked);
            if known == 0 || waiting.all <= covered || !share.is_ending(known) {
                return Next::Wait;
            }
        }
        let is_ahead = self.ahead_until > now;
        let is_ending = self.window.is_some() && !self.is_open(now);
        let need = Need {
            expected: if is_ahead || is_ending || is_turning {
                0
            } else {
                self.expected(share, now, way.rtt)
            },
            waiting: waiting.all.saturating_sub(self.tokens),
            least,
            remaining: left,
        };
        let tokens = share.lease(need);
        if tokens == 0 {
            return Next::Rest;
        }
        Next::Debit(self.debit(now, tokens, self.owed, need, way))
    }

    /// A debit failed.
    pub fn fail(&mut self, debit: &Debit, failure: Failure) {
        // The rest is in doubt already, since its time was up.
        let in_flight = self.land(debit);
        if !self.is_of(debit.window) {
            return;
        }
        // Told twice at worst, which takes from nobody but those who share the window.
        self.owed = self.owed.saturating_add(debit.owed);
        if failure == Failure::Unknown {
            let leased = in_flight.saturating_sub(debit.owed);
            self.doubtful = self.doubtful.saturating_add(leased);
        }
    }

    /// Something else refused a request that had spent here: the next one may.
    pub fn give_back(&mut self, window: u32, cost: u32, now: Instant) {
        if self.is_of(window) && self.is_open(now) {
            self.tokens = self.tokens.saturating_add(cost);
        }
    }

    /// So much was admitted beside it, by grants of its own.
    pub fn count_direct(&mut self, now: Instant, cost: u32) {
        self.rate.count(now, cost);
    }

    /// Whether nothing was spent lately, nor is anything in hand.
    #[must_use]
    pub fn is_cold(&self, now: Instant) -> bool {
        self.window.is_none() && self.rate.expected(now, Nanos::SECOND) == 0
    }

    /// Whether an answer is to come that might still grant something.
    #[must_use]
    pub const fn is_asked_for(&self) -> bool {
        self.in_flight > 0
    }

    /// What would be lost if it were forgotten, for comparing: what the proxy admitted by itself would be forgiven,
    /// what is in hand would lapse, a refusal would cost a call.
    #[must_use]
    pub fn harm(&self, now: Instant) -> (u32, u32, bool) {
        (
            self.alone,
            self.tokens.saturating_add(self.in_flight),
            self.refused_until > now,
        )
    }

    /// Granted and not spent: what would lapse if it were forgotten.
    #[must_use]
    pub const fn tokens(&self) -> u32 {
        self.tokens
    }

    /// Left at the limiter as last told in this window, together with what is in hand.
    #[must_use]
    pub fn remaining(&self) -> Option<u32> {
        let left = self.remaining?.saturating_sub(self.owed);
        // What is granted beyond a limit is nothing that is left of it.
        let tokens = match self.told.is_shadowed() {
            true => 0,
            false => self.tokens,
        };
        Some(left.saturating_add(tokens))
    }

    /// Its share of what the limiter counts by, of which `planned` is what the plan says.
    #[must_use]
    pub fn share(&self, planned: &Share) -> Share {
        self.counted_otherwise(planned)
            .map_or(*planned, |told| planned.counted_by(told))
    }

    /// What the limiter counts by, where that is not what the plan says.
    #[must_use]
    pub fn counted_otherwise(&self, planned: &Share) -> Option<Numbers> {
        let told = self.told.numbers()?;
        let differs = told.requests != planned.limit || told.per != planned.period;
        differs.then_some(told)
    }

    /// The window, when it is known.
    #[must_use]
    pub const fn window(&self) -> Option<Ends> {
        self.window
    }
}

impl Pot {
    fn debit(&mut self, now: Instant, tokens: u32, owed: u32, need: Need, way: Way) -> Debit {
        self.owed = self.owed.saturating_sub(owed);
        let debit = Debit {
            tokens,
            owed,
            waiting: need.waiting,
            ahead: need.expected > 0,
            window: self.number,
            sent: now,
        };
        let until = now.plus(way.timeout);
        // Not later for each that joins: a call whose worker has died must not hold up the others for ever.
        if self.in_flight == 0 {
            self.in_flight_until = until;
        }
        self.in_flight = self.in_flight.saturating_add(debit.hits());
        if debit.ahead {
            self.ahead_until = until;
        }
        debit
    }

    /// What will be spent while the next lease lasts.
    fn expected(&self, share: &Share, now: Instant, rtt: Nanos) -> u32 {
        let within = Nanos(share.horizon(rtt).0.saturating_add(rtt.0));
        self.rate.expected(now, within)
    }

    /// Takes a debit off the books of what is under way; tells how much was still on them.
    fn land(&mut self, debit: &Debit) -> u32 {
        if debit.ahead {
            self.ahead_until = Instant::default();
        }
        let in_flight = debit.hits().min(self.in_flight);
        self.in_flight -= in_flight;
        in_flight
    }

    /// What can still be asked for; `None` when nothing was told.
    fn left(&self, share: &Share) -> Option<u32> {
        if self.told.is_shadowed() {
            // What is only watched has no end.
            return Some(share.limit);
        }
        let taken = self.owed.saturating_add(self.in_flight);
        self.remaining.map(|left| left.saturating_sub(taken))
    }

    /// Until when a cost is refused, without asking.
    fn refusal(&self, now: Instant, cost: u32) -> Option<Instant> {
        if self.refused_until > now {
            let latest = self.window.map_or(now, |window| window.latest);
            return Some(self.refused_until.max(latest));
        }
        let lacking = cost.saturating_sub(self.tokens);
        // Where it is to be refused at nothing, the limiter has said so.
        let left = self.remaining.filter(|left| *left > self.owed)?;
        let window = self.window?;
        (lacking > left - self.owed).then_some(window.latest)
    }

    /// What is to be told of what was admitted without the limiter, where it has not more left than that: first as much
    /// as fits. An engine that charges nothing of what does not fit would otherwise never hear of it.
    fn debt_beyond(&self) -> Option<u32> {
        let left = self.remaining.filter(|left| *left > 0)?;
        (self.owed >= left && !self.told.is_shadowed()).then_some(left)
    }

    fn is_low(&self, now: Instant) -> bool {
        self.ahead_until <= now && self.leased > 0 && self.tokens <= self.leased / 2
    }

    fn is_open(&self, now: Instant) -> bool {
        self.window.is_some_and(|window| window.is_open(now))
    }

    fn is_of(&self, window: u32) -> bool {
        self.window.is_some() && self.number == window
    }

    fn open(&mut self, window: Ends) {
        self.window = Some(window);
        self.number = self.number.wrapping_add(1);
    }

    /// Forgets the window, but neither how fast it was spent nor a refusal that is still on.
    fn close(&mut self) -> u32 {
        let lapsed = self.tokens;
        *self = Self {
            number: self.number,
            refused_until: self.refused_until,
            rate: self.rate,
            told: self.told.shadowed(false),
            ..Self::default()
        };
        lapsed
    }
}

#[cfg(test)]
mod tests;
