//! A token bucket in rational numbers: nothing is rounded, nothing is prepared.

use weir::units::Nanos;

/// A bucket that refills `requests` per `period` and holds `capacity`.
#[derive(Clone, Copy, Debug)]
pub struct Rational {
    pub requests: u128,
    pub period: u128,
    pub capacity: u128,
    /// The time at which it is full, in ns, as numerator over [`Self::requests`].
    full_at: u128,
}

impl Rational {
    pub fn new(requests: u32, period: Nanos, capacity: u32) -> Self {
        Self {
            requests: requests.into(),
            period: period.0.into(),
            capacity: capacity.into(),
            full_at: 0,
        }
    }

    /// Whether `cost` fits at `now`.
    pub fn fits(&self, now: u64, cost: u32) -> bool {
        let now = u128::from(now) * self.requests;
        let after = self.full_at.max(now) + u128::from(cost) * self.period;
        after <= now + self.capacity * self.period
    }

    pub fn charge(&mut self, now: u64, cost: u32) {
        let now = u128::from(now) * self.requests;
        self.full_at = self.full_at.max(now) + u128::from(cost) * self.period;
    }

    /// The same bucket under other numbers: full at the same time, but no emptier than empty.
    pub fn change(&mut self, now: u64, requests: u32, capacity: u32) {
        // Rounded down, so that what it admits bounds what an exact one would.
        let full_at = self.full_at * u128::from(requests) / self.requests;
        self.requests = requests.into();
        self.capacity = capacity.into();
        let now = u128::from(now) * self.requests;
        self.full_at = full_at.min(now + self.capacity * self.period);
    }
}
