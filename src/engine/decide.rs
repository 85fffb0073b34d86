//! What is decided about a request, from what the rules that it meets say.

use super::global::Said;
use super::{COST, Engine, Incidents, Met, MetKey, is_closed};
use crate::decision::{Decision, Effect, Quota, Reason, Refusal};
use crate::local::limit::Limit;
use crate::local::store::SharedData;
use crate::local::table::Table;
use crate::local::transaction::{Demand, Entry, Reading, Settled, Transaction};
use crate::plan::{Global, OnError, OnFault, Rule};
use crate::units::{Nanos, Now, Wait};

/// What the rate limit service has been asked about a request so far, and what it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// What each limit of the rules says that ask for each request, in the order of the plan; `None` when that is not
    /// known.
    pub told: Option<&'a [Quota]>,
    /// Of the limits that are leased, those of which it was granted a part of its own.
    pub direct: &'a [Direct],
    /// Whether it may wait for what is not known. Otherwise `on_error` holds.
    pub may_wait: bool,
}

/// What was granted to one request, beside its pot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direct {
    /// Fingerprint of the pot.
    pub pot: u64,
    /// What the limit says; `None` where the service has no such limit, and would admit anything.
    pub quota: Option<Quota>,
}

impl Asked<'_> {
    /// Nothing, and it may wait.
    pub const NOTHING: Self = Self {
        told: None,
        direct: &[],
        may_wait: true,
    };

    /// The same, and it may not wait any longer.
    #[must_use]
    pub const fn at_last(self) -> Self {
        Self {
            may_wait: false,
            ..self
        }
    }

    /// In vain: the service did not answer, or not in time.
    pub const FAILED: Self = Self {
        may_wait: false,
        ..Self::NOTHING
    };
}

/// What comes of deciding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// A decision; who is admitted has been charged.
    Decided(Decision),
    /// It is to wait for what the service says. Nothing was charged.
    Park {
        /// Whether it is the first of a key in this proxy.
        cold: bool,
    },
}

impl Engine {
    /// Decides about a request that meets these rules, and charges it if it is admitted.
    pub fn decide(
        &self,
        met: &[Met],
        asked: Asked<'_>,
        now: Now,
        data: &mut impl SharedData,
        incidents: &mut Incidents,
    ) -> Outcome {
        let Some(tables) = &self.tables else {
            return Outcome::Decided(self.decide_without_counters(met, asked));
        };
        if let Some(decision) = self.refused_unread(met) {
            return Outcome::Decided(decision);
        }
        if self.asks_service(met) {
            return self.decide_globally(met, asked, now, tables, data, incidents);
        }
        let table = &tables.local;
        let mut entries = self.entries(met, asked, table);
        let stats = &mut incidents.stats;
        let settled = Transaction {
            table,
            data,
            now,
            stats,
        }
        .settle(&mut entries);
        incidents.fault = entries.iter().find_map(|entry| entry.fault);
        let said = Said::without_draws(asked, now);
        Outcome::Decided(self.conclude(met, &said, &entries, settled))
    }

    /// Decides when there are no counters at all, or no clock for them: every rule's `on_fault` does, after what needs
    /// none.
    pub fn decide_without_counters(&self, met: &[Met], asked: Asked<'_>) -> Decision {
        let refused = self.refused_unread(met);
        let now = Now::default();
        if let Some(decision) = refused.or_else(|| self.refused_by_service(met, asked, now)) {
            return decision;
        }
        let mut decision = Decision::default();
        for met in met {
            if !self.denies_on_fault(met) {
                decision.rules.push(met.outcome(Effect::Uncharged));
                continue;
            }
            decision.rules.push(met.outcome(Effect::Denied));
            decision.refusal.get_or_insert(Refusal {
                rule: met.rule,
                reason: Reason::Unavailable,
            });
        }
        decision
    }

    /// A refusal that no counter can change: a missing key that is denied, a limit that admits nothing, a fact
    /// that could not be read for a rule that denies on faults. In this order they are told.
    fn refused_unread(&self, met: &[Met]) -> Option<Decision> {
        let effects = |met: &Met| match met.key {
            MetKey::Missing => Effect::Refused,
            MetKey::Unreadable if self.denies_on_fault(met) => Effect::Denied,
            MetKey::Unreadable => Effect::Uncharged,
            _ if self.is_closed(met) => Effect::Refused,
            _ => Effect::Passed,
        };
        let refuses = |met: &Met| matches!(effects(met), Effect::Refused | Effect::Denied);
        if !met.iter().any(refuses) {
            return None;
        }
        let mut decision = Decision::default();
        for met in met {
            decision.rules.push(met.outcome(effects(met)));
            if met.key == MetKey::Missing {
                continue;
            }
            decision.quotas.extend(self.closed(met).map(|limit| Quota {
                rule: met.rule,
                limit,
                remaining: 0,
                reset: Nanos(0),
                violated: Some(Wait::Never),
                counted: None,
            }));
        }
        let told = |key, reason| {
            let met = met.iter().find(|met| met.key == key && refuses(met))?;
            let rule = met.rule;
            Some(Refusal { rule, reason })
        };
        decision.refusal = told(MetKey::Missing, Reason::MissingKey)
            .or_else(|| decision.by_longest_wait())
            .or_else(|| told(MetKey::Unreadable, Reason::Unavailable));
        Some(decision)
    }

    /// The decision, once everything is charged or nothing will be. `said` is what the limits say that the service
    /// keeps.
    pub(super) fn conclude(
        &self,
        met: &[Met],
        said: &Said<'_>,
        entries: &[Entry<'_>],
        settled: Settled,
    ) -> Decision {
        let &Said { asked, now, .. } = said;
        let shown = self.plan.response.shows_quotas();
        let admitted = settled == Settled::Admitted;
        let mut decision = Decision::default();
        decision.rules.reserve_exact(met.len());
        let mut entries = entries.iter().enumerate();
        for met in met {
            let entry = match self.is_counted_here(met, asked) {
                true => entries.next(),
                false => None,
            };
            let Some((at, entry)) = entry else {
                let effect = self.effect_elsewhere(met, said, admitted);
                decision.rules.push(met.outcome(effect));
                if !admitted || shown {
                    decision.quotas.extend(said.shown(met.rule));
                }
                continue;
            };
            let effect = match settled {
                Settled::Contended(index) | Settled::Unavailable(index) if index == at => {
                    decision.refusal = Some(Refusal {
                        rule: met.rule,
                        reason: settled.fault(),
                    });
                    Effect::Denied
                }
                _ if entry.fault.is_some() => Effect::Uncharged,
                Settled::Admitted => Effect::Charged,
                _ if entry.refuses() => Effect::Refused,
                _ => Effect::Passed,
            };
            decision.rules.push(met.outcome(effect));
            if !admitted || shown {
                let readings = entry.readings(admitted, now).enumerate();
                let quotas = readings.map(|(limit, reading)| quota(met.rule, limit, reading));
                decision.quotas.extend(quotas);
            }
        }
        if settled == Settled::Refused {
            decision.refusal = decision.by_longest_wait().or_else(|| refused_anyway(met));
        }
        decision
    }

    /// The effect on a rule that is not counted here.
    fn effect_elsewhere(&self, met: &Met, said: &Said<'_>, admitted: bool) -> Effect {
        let rule = self.plan.rules.get(met.rule);
        let limits = rule.map_or(0, |rule| rule.limits.len());
        match admitted {
            true if said.count(met.rule) == limits => Effect::Charged,
            false if met.fingerprint().is_some() => Effect::Passed,
            // Of a service that has no such limit, and would admit anything, too.
            _ => Effect::Uncharged,
        }
    }

    pub(super) fn entries<'e>(
        &'e self,
        met: &[Met],
        asked: Asked<'_>,
        table: &Table,
    ) -> Vec<Entry<'e>> {
        let mut entries = Vec::with_capacity(met.len());
        for met in met {
            if self.is_counted_here(met, asked)
                && let Some(demand) = self.demand(*met)
            {
                entries.push(Entry::new(demand, table));
            }
        }
        entries
    }

    /// Whether this proxy's own counters are asked: for a rule of the service only where that was asked in vain.
    pub(super) fn is_counted_here(&self, met: &Met, asked: Asked<'_>) -> bool {
        let here = match self.global(met) {
            None => true,
            Some(Global::Lease(_)) => false,
            Some(Global::PerRequest(_)) => {
                let failed = asked.told.is_none() && !asked.may_wait;
                failed && self.on_error() == OnError::Local
            }
        };
        here && met.fingerprint().is_some()
    }

    /// What a rule asks of this proxy's own counters; one of the service asks for its share.
    fn demand(&self, met: Met) -> Option<Demand<'_>> {
        let rule = self.plan.rules.get(met.rule)?;
        Some(Demand {
            limits: match &rule.global {
                Some(Global::PerRequest(share)) => share,
                Some(Global::Lease(_)) | None => &rule.limits,
            },
            tag: self.prepared.get(met.rule)?.tag,
            fingerprint: met.fingerprint()?,
            cost: COST,
            deny_on_fault: rule.on_fault == OnFault::Deny,
        })
    }

    /// Whether any of these rules is kept by the service.
    fn asks_service(&self, met: &[Met]) -> bool {
        self.plan.service.is_some()
            && met
                .iter()
                .any(|met| met.fingerprint().is_some() && self.global(met).is_some())
    }

    pub(super) fn denies_on_fault(&self, met: &Met) -> bool {
        let rule = self.plan.rules.get(met.rule);
        rule.is_some_and(|rule| rule.on_fault == OnFault::Deny)
    }

    fn is_closed(&self, met: &Met) -> bool {
        let prepared = self.prepared.get(met.rule);
        prepared.is_some_and(|prepared| prepared.closed)
    }

    /// Indices of a rule's limits that admit nothing, ever.
    fn closed(&self, met: &Met) -> impl Iterator<Item = usize> {
        let limits = self.plan.rules.get(met.rule).into_iter();
        limits
            .flat_map(|rule: &Rule| rule.limits.iter().enumerate())
            .filter(|(_, limit): &(usize, &Limit)| is_closed(limit))
            .map(|(index, _)| index)
    }
}

impl Settled {
    const fn fault(self) -> Reason {
        match self {
            Self::Contended(_) => Reason::Contended,
            _ => Reason::Unavailable,
        }
    }
}

/// What a limit says that is counted here.
const fn quota(rule: usize, limit: usize, reading: Reading) -> Quota {
    Quota {
        rule,
        limit,
        remaining: reading.remaining,
        reset: reading.reset,
        violated: reading.wait,
        counted: None,
    }
}

/// A refusal by a limit that does not say how long: what is refused stays refused.
fn refused_anyway(met: &[Met]) -> Option<Refusal> {
    let reason = Reason::Contended;
    met.first().map(|met| Refusal {
        rule: met.rule,
        reason,
    })
}
