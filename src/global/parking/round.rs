//! One look at all requests that wait, spread over as many callbacks as it takes.

use super::parked::{Parked, Ready};
use crate::engine::Direct;

/// The most requests that one callback settles.
///
/// Envoy carries out replies and resumptions after the callback that asked for them, each inside the callback of the one
/// before. About 290 of them overflow the stack, and the VM is lost with every filter in it.
pub const MOST_SETTLED: usize = 64;

/// The most grants that are kept for one round. A call asks for at most 64 pots.
const MOST_GRANTS: usize = 256;

/// How many requests the callback under way may still settle.
#[derive(Debug)]
pub struct Batch {
    left: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self { left: MOST_SETTLED }
    }
}

impl Batch {
    /// Takes the place of one request; false when there is none left.
    pub(super) const fn take(&mut self) -> bool {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    /// Gives the place of a request back that was not settled.
    pub(super) const fn put_back(&mut self) {
        self.left += 1;
    }
}

/// A grant to so many of those who wait for a pot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What each gets.
    pub direct: Direct,
    /// To how many.
    pub left: u32,
}

/// One look at all who waited when it began. It outlives the callback: requests leave and come meanwhile, so it goes by
/// their tickets.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// The ticket of the next request to look at.
    pub next: u64,
    /// The first ticket that came too late.
    pub end: u64,
    /// Pots that were found to have too little.
    pub dry: Vec<u64>,
    /// What is granted to those who wait, beside their pots.
    grants: Vec<Grant>,
}

impl Round {
    /// Begins again with the first request, up to the ticket `end`. Grants that nobody took yet stay.
    pub fn restart(&mut self, end: u64) {
        (self.next, self.end) = (0, end);
        self.dry.clear();
    }

    /// Keeps a grant, and tells how much an earlier one loses that there is no room for any more.
    pub fn grant(&mut self, grant: Grant) -> u32 {
        self.grants.retain(|grant| grant.left > 0);
        let lapsed = match self.grants.len() < MOST_GRANTS {
            true => 0,
            false => unclaimed(&self.grants.remove(0)),
        };
        self.grants.push(grant);
        lapsed
    }

    /// Takes what is granted to a request.
    pub fn claim(&mut self, parked: &Parked) -> Vec<Direct> {
        let mut direct = Vec::new();
        for pot in parked.pots() {
            let mut own = self.grants.iter_mut();
            let grant = own.find(|grant| grant.direct.pot == pot && grant.left > 0);
            if let Some(grant) = grant {
                grant.left -= 1;
                direct.push(grant.direct);
            }
        }
        direct
    }

    /// Takes back what a request claimed and did not use.
    pub fn refund(&mut self, ready: &Ready) {
        for direct in &ready.direct {
            let mut own = self.grants.iter_mut();
            if let Some(grant) = own.find(|grant| grant.direct.pot == direct.pot) {
                grant.left = grant.left.saturating_add(1);
            }
        }
    }

    /// What was granted that nobody took.
    pub fn lapsed(&self) -> u32 {
        self.grants
            .iter()
            .map(unclaimed)
            .fold(0, u32::saturating_add)
    }
}

/// What is left of a grant. Where the service has no limit, nothing was debited.
const fn unclaimed(grant: &Grant) -> u32 {
    match grant.direct.quota {
        Some(_) => grant.left,
        None => 0,
    }
}
