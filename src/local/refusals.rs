//! A worker's memory of refusals: until a key's time has come it is refused without asking the store.
//!
//! That is the path an attack takes, so it is the cheapest. It is never early: nothing but a give-back, or a
//! wall clock that is set forward, could have let the key in before.

use super::transaction::Reading;
use crate::units::{Instant, Nanos, Wait};

/// Keys remembered by a worker; direct-mapped, so a newcomer displaces whoever has its place.
pub const SLOTS: usize = 4_096;

/// The refusals that one worker remembers under one plan.
#[derive(Debug, Default)]
pub struct Refusals {
    /// Empty until the first refusal, then [`SLOTS`] long.
    slots: Vec<Option<Box<Remembered>>>,
}

#[derive(Debug)]
struct Remembered {
    fingerprint: u64,
    cost: u32,
    at: Instant,
    until: Instant,
    readings: Vec<Reading>,
}

impl Refusals {
    /// Remembers that a rule refused `cost` for this key.
    ///
    /// Ignored when no limit says when to come back: what is refused for ever needs no memory.
    pub fn remember(&mut self, fingerprint: u64, cost: u32, now: Instant, readings: Vec<Reading>) {
        let waits = readings.iter().filter_map(|reading| match reading.wait {
            Some(Wait::After(wait)) => Some(wait),
            _ => None,
        });
        let Some(wait) = waits.max() else { return };
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
        }
        if let Some(slot) = self.slots.get_mut(slot(fingerprint)) {
            let until = now.plus(wait);
            *slot = Some(Box::new(Remembered {
                fingerprint,
                cost,
                at: now,
                until,
                readings,
            }));
        }
    }

    /// What the rule would say about `cost` for this key, if it is known to refuse it still.
    #[must_use]
    pub fn recall(&self, fingerprint: u64, cost: u32, now: Instant) -> Option<Vec<Reading>> {
        let known = self.slots.get(slot(fingerprint))?.as_ref()?;
        if known.fingerprint != fingerprint || cost < known.cost || now >= known.until {
            return None;
        }
        let elapsed = now.since(known.at);
        Some(
            known
                .readings
                .iter()
                .map(|reading| reading.later_by(elapsed))
                .collect(),
        )
    }
}

impl Reading {
    /// The same reading when `elapsed` has passed and nothing was charged: what was due is nearer.
    fn later_by(&self, elapsed: Nanos) -> Self {
        let nearer = |span: Nanos| Nanos(span.0.saturating_sub(elapsed.0));
        let wait = match self.wait {
            // A limit whose own wait is over refuses no more, though another of its rule does.
            Some(Wait::After(wait)) => {
                let left = nearer(wait);
                (left > Nanos(0)).then_some(Wait::After(left))
            }
            wait => wait,
        };
        Self {
            remaining: self.remaining,
            reset: nearer(self.reset),
            wait,
        }
    }
}

fn slot(fingerprint: u64) -> usize {
    usize::try_from(fingerprint % SLOTS as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests;
