//! A worker's memory of refusals: until a request's time has come it is refused again without asking the
//! store, with the reply that it got before as long as that is still true.
//!
//! That is the path an attack takes, so it is the cheapest. It is never early: nothing but a give-back, or a
//! wall clock that is set forward, could have let the request in before. What it says of limits that did not
//! refuse is what the store said then.

use crate::decision::{Decision, Effect, Reason, Refusal, RuleOutcome};
use crate::engine::Met;
use crate::reply::LocalReply;
use crate::units::Instant;

/// Requests remembered by a worker; direct-mapped, so a newcomer displaces whoever has its place. Each takes
/// about a kilobyte.
pub const SLOTS: usize = 2_048;

/// The refusals that one worker remembers under one plan.
#[derive(Debug)]
pub struct Refusals {
    /// Empty until the first refusal, then [`SLOTS`] long.
    slots: Vec<Option<Box<Remembered>>>,
    /// The last one that was not to be remembered.
    passing: Refused,
}

/// A refusal, and how it is told.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// What was decided.
    pub decision: Decision,
    /// What the client gets.
    pub reply: LocalReply,
}

/// Where a refusal is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(usize);

#[derive(Debug)]
struct Remembered {
    /// As the store decided, and when.
    decision: Decision,
    at: Instant,
    /// When it refuses no more.
    until: Instant,
    /// As it was told last, and until when that says the same.
    told: Refused,
    steady_until: Instant,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            passing: Refused {
                decision: Decision::default(),
                reply: LocalReply::unavailable(),
            },
        }
    }
}

impl Refusals {
    /// Keeps a refusal, so that a request that meets the same rules by the same keys is refused alike: one by
    /// limits, all of which could be asked, until they admit it. Any other is kept for this request only.
    pub fn remember(&mut self, refused: Refused, now: Instant) -> &Refused {
        let decision = &refused.decision;
        let by_limits = matches!(
            decision.refusal,
            Some(Refusal {
                reason: Reason::Limited { .. },
                ..
            })
        );
        let uncharged = |rule: &RuleOutcome| rule.effect == Effect::Uncharged;
        let all_asked = !decision.rules.iter().any(uncharged);
        let wait = decision.refused_for().filter(|_| by_limits && all_asked);
        let slot = slot(decision.rules.iter().map(|rule| rule.fingerprint));
        let (Some(wait), Some(Slot(slot))) = (wait, slot) else {
            return self.pass(refused);
        };
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
        }
        match self.slots.get_mut(slot) {
            None => &self.passing,
            Some(place) => {
                let remembered = Box::new(Remembered {
                    decision: decision.clone(),
                    at: now,
                    until: now.plus(wait),
                    steady_until: now.plus(decision.steady_for()),
                    told: refused,
                });
                &place.insert(remembered).told
            }
        }
    }

    /// Keeps a refusal for this request only.
    pub fn pass(&mut self, refused: Refused) -> &Refused {
        self.passing = refused;
        &self.passing
    }

    /// Where it is remembered that a request which meets these rules is refused still.
    #[must_use]
    pub fn find(&self, met: &[Met], now: Instant) -> Option<Slot> {
        let slot = slot(met.iter().map(|met| met.fingerprint()))?;
        let known = self.slots.get(slot.0)?.as_ref()?;
        let theirs = known.decision.rules.iter();
        let same = theirs
            .map(|outcome| (outcome.rule, outcome.fingerprint))
            .eq(met.iter().map(|met| (met.rule, met.fingerprint())));
        (same && now < known.until).then_some(slot)
    }

    /// The refusal in `slot` as it is at `now`: told again by `tell` where what was told last is no longer true,
    /// or was told in another protocol.
    pub fn repeat(
        &mut self,
        slot: Slot,
        now: Instant,
        grpc: bool,
        tell: impl FnOnce(&Decision) -> LocalReply,
    ) -> &Refused {
        let Some(Some(known)) = self.slots.get_mut(slot.0) else {
            return &self.passing;
        };
        let told_alike = known.told.reply.grpc_status.is_some() == grpc;
        if now >= known.steady_until || !told_alike {
            let decision = known.decision.later_by(now.since(known.at));
            known.steady_until = now.plus(decision.steady_for());
            known.told = Refused {
                reply: tell(&decision),
                decision,
            };
        }
        &known.told
    }
}

/// The slot of a request with these fingerprints; `None` for one that is not counted by all its rules.
fn slot(mut fingerprints: impl Iterator<Item = Option<u64>>) -> Option<Slot> {
    let sum = fingerprints.try_fold(0_u64, |sum, fingerprint| {
        Some(sum.rotate_left(7) ^ fingerprint?)
    })?;
    usize::try_from(sum % SLOTS as u64).ok().map(Slot)
}

#[cfg(test)]
mod tests;
