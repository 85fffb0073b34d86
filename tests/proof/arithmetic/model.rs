//! A token bucket in rational numbers: nothing is rounded, nothing is prepared.

use weir::units::Nanos;

/// A bucket that refills `requests` per `period` and holds `capacity`.
#[derive(Clone, Copy, Debug)]
pub struct Rational {
    pub requests: u128,
    pub period: u128,
    pub capacity: u128,
    /// What it and any larger one that went before it can be short of together.
    room: u128,
    /// The time at which nothing is missing, in ns, as numerator over [`Self::requests`].
    full_at: u128,
}

impl Rational {
    pub fn new(requests: u32, period: Nanos, capacity: u32) -> Self {
        Self {
            requests: requests.into(),
            period: period.0.into(),
            capacity: capacity.into(),
            room: capacity.into(),
            full_at: 0,
        }
    }

    /// Whether `cost` fits at `now`.
    pub fn fits(&self, now: u64, cost: u32) -> bool {
        let looked_at = self.overflowed(now);
        let now = u128::from(now) * self.requests;
        let after = looked_at.full_at.max(now) + u128::from(cost) * self.period;
        after <= now + looked_at.room * self.period
    }

    pub fn charge(&mut self, now: u64, cost: u32) {
        *self = self.overflowed(now);
        let now = u128::from(now) * self.requests;
        self.full_at = self.full_at.max(now) + u128::from(cost) * self.period;
    }

    /// The same bucket under other numbers: as many requests are missing.
    pub fn change(&mut self, now: u64, requests: u32, capacity: u32) {
        let missing = self.missing(now);
        self.requests = requests.into();
        self.capacity = capacity.into();
        self.room = self.room.max(self.capacity);
        self.full_at = u128::from(now) * self.requests + missing;
        *self = self.overflowed(now);
    }

    /// What is missing at `now`, in requests, as numerator over the period: each ns brings `requests` of
    /// those.
    fn missing(&self, now: u64) -> u128 {
        let now = u128::from(now) * self.requests;
        self.full_at.saturating_sub(now)
    }

    /// A bucket that has become smaller loses what is left beyond its capacity, to a whole request.
    fn overflowed(&self, now: u64) -> Self {
        let missing = self.missing(now);
        let left = (self.room * self.period).saturating_sub(missing);
        if left <= self.capacity * self.period {
            return *self;
        }
        let missing = missing.div_ceil(self.period);
        Self {
            room: self.capacity + missing,
            full_at: u128::from(now) * self.requests + missing * self.period,
            ..*self
        }
    }
}
