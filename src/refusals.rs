//! A VM's cache of refusals, which all of its configurations share: until a request's time has come it is refused again without asking the
//! store, with the reply that it got before as long as that is still true.
//!
//! That is the path an attack takes, so it is the cheapest. It is never early: nothing but a give-back, or a
//! wall clock that is set forward, could have let the request in before. What it says of limits that did not
//! refuse is what the store said then.

use crate::decision::{Decision, Effect, Reason, Refusal, RuleOutcome};
use crate::engine::Met;
use crate::reply::LocalReply;
use crate::units::Instant;

/// Requests that a VM caches; direct-mapped, so a newcomer displaces the one that has its place. Each takes about a
/// kilobyte.
pub const SLOTS: usize = 2_048;

/// The refusals that one VM caches.
#[derive(Debug)]
pub struct Refusals {
    /// Configurations so far.
    generations: u32,
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

/// Tells the refusals of one configuration from those of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generation(u32);

/// Where a refusal is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(usize);

#[derive(Debug)]
struct Remembered {
    generation: Generation,
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
        Self::new()
    }
}

impl Refusals {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            generations: 0,
            slots: Vec::new(),
            passing: Refused {
                decision: Decision {
                    quotas: Vec::new(),
                    rules: Vec::new(),
                    refusal: None,
                },
                reply: LocalReply::unavailable(),
            },
        }
    }

    /// A configuration of its own.
    pub const fn next_generation(&mut self) -> Generation {
        self.generations = self.generations.wrapping_add(1);
        Generation(self.generations)
    }

    /// Keeps a refusal, so that a request that meets the same rules by the same keys is refused alike: one by
    /// limits, all of which could be asked, until they admit it. Any other is kept for this request only.
    pub fn remember(&mut self, generation: Generation, refused: Refused, now: Instant) -> &Refused {
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
        let slot = slot(
            generation,
            decision.rules.iter().map(|rule| rule.fingerprint),
        );
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
                    generation,
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
    pub fn find(&self, generation: Generation, met: &[Met], now: Instant) -> Option<Slot> {
        let slot = slot(generation, met.iter().map(|met| met.fingerprint()))?;
        let known = self.slots.get(slot.0)?.as_ref()?;
        let theirs = known.decision.rules.iter();
        let same = theirs
            .map(|outcome| (outcome.rule, outcome.fingerprint))
            .eq(met.iter().map(|met| (met.rule, met.fingerprint())));
        (same && known.generation == generation && now < known.until).then_some(slot)
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
fn slot(
    Generation(generation): Generation,
    mut fingerprints: impl Iterator<Item = Option<u64>>,
) -> Option<Slot> {
    let sum = fingerprints.try_fold(u64::from(generation), |sum, fingerprint| {
        Some(sum.rotate_left(7) ^ fingerprint?)
    })?;
    usize::try_from(sum % SLOTS as u64).ok().map(Slot)
}

#[cfg(test)]
mod tests;
