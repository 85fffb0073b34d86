//! What a run has seen.

use std::collections::BTreeMap;

use weir::global::breaker::Change;

use crate::course::Course;

/// One window of one key at the limiter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    /// Cost spent from leases, and by those who waited for a debit in it.
    pub leased: u64,
    /// Cost that reached the limiter as admitted by proxies alone.
    pub told: u64,
}

#[derive(Debug, Default)]
pub struct Record {
    pub windows: BTreeMap<(u64, u64), Window>,
    pub offered: u64,
    /// Cost admitted from leases, and without the limiter.
    pub leased: u64,
    pub alone: u64,
    /// Requests.
    pub refused: u64,
    pub parked: u64,
    pub abandoned: u64,
    /// Calls sent, and how many were refused by the limiter.
    pub calls: u64,
    pub over: u64,
    pub lapsed: u64,
    pub lost_swaps: u64,
    /// Requests parked with the limiter up, for longer than `MAX_WAIT` and a tick.
    pub overdue: u64,
    pub longest_wait: u64,
    /// Spent from a lease whose window was over.
    pub stray: u64,
    pub breakers: Vec<(usize, u64, Change)>,
}

impl Record {
    /// Something was spent that had been debited in a window.
    pub fn admit(&mut self, key: u64, window: u64, cost: u32) {
        self.windows.entry((key, window)).or_default().leased += u64::from(cost);
        self.leased += u64::from(cost);
    }

    /// The limiter was told of what was admitted without it.
    pub fn told(&mut self, key: u64, window: u64, cost: u32) {
        self.windows.entry((key, window)).or_default().told += u64::from(cost);
    }

    /// The windows of all keys but the first and the last of each, which are not whole.
    fn whole(&self) -> impl Iterator<Item = &Window> {
        self.windows.iter().filter_map(|((key, number), window)| {
            let has = |number: u64| self.windows.contains_key(&(*key, number));
            (number.checked_sub(1).is_some_and(has) && has(number + 1)).then_some(window)
        })
    }

    /// What the windows admitted beyond the limit, at most.
    pub fn overshoot(&self, course: &Course) -> u64 {
        let over =
            |window: &Window| (window.leased + window.told).saturating_sub(course.limit.into());
        self.windows.values().map(over).max().unwrap_or(0)
    }

    /// What whole windows left unspent, at most.
    pub fn undershoot(&self, course: &Course) -> u64 {
        let under = |window: &Window| u64::from(course.limit).saturating_sub(window.leased);
        self.whole().map(under).max().unwrap_or(0)
    }
}
