//! What is decided about a request, from what the rules that it meets say.

use super::{COST, Engine, Incidents, Met, MetKey, is_closed};
use crate::decision::{Decision, Effect, Quota, Reason, Refusal};
use crate::local::limit::Limit;
use crate::local::store::SharedData;
use crate::local::table::Table;
use crate::local::transaction::{Demand, Entry, Settled, Transaction};
use crate::plan::{OnError, OnFault, Rule};
use crate::units::{Nanos, Now, Wait};

/// What the rate limit service said of the global rules that a request meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// Nothing, since it was not asked. A request that meets a global rule is not to be decided so.
    Nothing,
    /// What each of their limits says, in the order of the plan.
    Told(&'a [Quota]),
    /// It did not answer, or not in time: `on_error` holds.
    Failed,
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
    ) -> Decision {
        let Some(table) = &self.table else {
            return self.decide_without_counters(met, asked);
        };
        if let Some(decision) = self.refused_uncounted(met, asked) {
            return decision;
        }
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
        self.conclude(met, asked, &entries, settled, now)
    }

    /// The refusal by this proxy's own counters of a request that the service need then not be asked for. Charges
    /// nothing.
    pub fn refused_here(
        &self,
        met: &[Met],
        now: Now,
        data: &mut impl SharedData,
        incidents: &mut Incidents,
    ) -> Option<Decision> {
        let table = self.table.as_ref()?;
        let asked = Asked::Nothing;
        if let Some(decision) = self.refused_uncounted(met, asked) {
            return Some(decision);
        }
        let mut entries = self.entries(met, asked, table);
        let stats = &mut incidents.stats;
        let mut transaction = Transaction {
            table,
            data,
            now,
            stats,
        };
        let settled = transaction.test_all(&mut entries)?;
        incidents.fault = entries.iter().find_map(|entry| entry.fault);
        Some(self.conclude(met, asked, &entries, settled, now))
    }

    /// Decides when there are no counters at all, or no clock for them: every rule's `on_fault` does, after what needs
    /// none.
    pub fn decide_without_counters(&self, met: &[Met], asked: Asked<'_>) -> Decision {
        if let Some(decision) = self.refused_uncounted(met, asked) {
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

    /// A refusal that needs none of this proxy's counters.
    fn refused_uncounted(&self, met: &[Met], asked: Asked<'_>) -> Option<Decision> {
        let refused = self.refused_unread(met);
        refused.or_else(|| self.refused_by_service(met, asked))
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

    /// A refusal by what the service told, or because it told nothing.
    // In place it would weigh on requests that ask no service.
    #[inline(never)]
    fn refused_by_service(&self, met: &[Met], asked: Asked<'_>) -> Option<Decision> {
        if asked == Asked::Nothing {
            return None;
        }
        let effect = |met: &Met| match (self.global(met), asked) {
            (Some(_), Asked::Told(quotas)) => {
                let refuses = |quota: &Quota| quota.rule == met.rule && quota.violated.is_some();
                match quotas.iter().any(refuses) {
                    true => Effect::Refused,
                    false => Effect::Passed,
                }
            }
            (Some(OnError::Deny), Asked::Failed) => Effect::Denied,
            _ => Effect::Passed,
        };
        let first = met.iter().find(|met| effect(met) != Effect::Passed)?;
        let mut decision = Decision {
            quotas: match asked {
                Asked::Told(quotas) => quotas.to_vec(),
                Asked::Nothing | Asked::Failed => Vec::new(),
            },
            rules: met.iter().map(|met| met.outcome(effect(met))).collect(),
            refusal: None,
        };
        decision.refusal = decision.by_longest_wait().or(Some(Refusal {
            rule: first.rule,
            reason: Reason::Unavailable,
        }));
        Some(decision)
    }

    fn conclude(
        &self,
        met: &[Met],
        asked: Asked<'_>,
        entries: &[Entry<'_>],
        settled: Settled,
        now: Now,
    ) -> Decision {
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
                let effect = match asked {
                    Asked::Told(quotas) if self.global(met).is_some() => {
                        let of_rule = |quota: &&Quota| quota.rule == met.rule;
                        decision.quotas.extend(quotas.iter().filter(of_rule));
                        match (admitted, quotas.iter().any(|quota| of_rule(&quota))) {
                            (true, true) => Effect::Charged,
                            // It has no such limit, and would admit anything.
                            (true, false) => Effect::Uncharged,
                            (false, _) => Effect::Passed,
                        }
                    }
                    Asked::Nothing if met.fingerprint().is_some() => Effect::Passed,
                    _ => Effect::Uncharged,
                };
                decision.rules.push(met.outcome(effect));
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
            if !admitted || self.plan.response.shows_quotas() {
                let readings = entry.readings(admitted, now).enumerate();
                decision
                    .quotas
                    .extend(readings.map(|(limit, reading)| Quota {
                        rule: met.rule,
                        limit,
                        remaining: reading.remaining,
                        reset: reading.reset,
                        violated: reading.wait,
                    }));
            }
        }
        if settled == Settled::Refused {
            decision.refusal = decision.by_longest_wait().or_else(|| refused_anyway(met));
        }
        decision
    }

    fn entries<'e>(&'e self, met: &[Met], asked: Asked<'_>, table: &Table) -> Vec<Entry<'e>> {
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

    /// Whether this proxy's own counters are asked: for a global rule only when the service did not say.
    fn is_counted_here(&self, met: &Met, asked: Asked<'_>) -> bool {
        let here = match self.global(met) {
            None => true,
            Some(on_error) => on_error == OnError::Local && asked == Asked::Failed,
        };
        here && met.fingerprint().is_some()
    }

    /// What a rule asks of this proxy's own counters; a global one asks for its share.
    fn demand(&self, met: Met) -> Option<Demand<'_>> {
        let rule = self.plan.rules.get(met.rule)?;
        Some(Demand {
            limits: match &rule.global {
                None => &rule.limits,
                Some(global) => &global.share,
            },
            tag: self.prepared.get(met.rule)?.tag,
            fingerprint: met.fingerprint()?,
            cost: COST,
            deny_on_fault: rule.on_fault == OnFault::Deny,
        })
    }

    /// Whether any of these rules is kept by the service.
    #[must_use]
    pub fn asks_service(&self, met: &[Met]) -> bool {
        let asked = |met: &&Met| met.fingerprint().is_some();
        self.plan.service.is_some()
            && met
                .iter()
                .filter(asked)
                .any(|met| self.global(met).is_some())
    }

    /// What holds for a global rule when the service does not say; `None` for any other.
    fn global(&self, met: &Met) -> Option<OnError> {
        let service = self.plan.service.as_ref()?;
        let rule = self.plan.rules.get(met.rule)?;
        rule.global.as_ref().map(|_| service.on_error)
    }

    fn denies_on_fault(&self, met: &Met) -> bool {
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

/// A refusal by a limit that does not say how long: what is refused stays refused.
fn refused_anyway(met: &[Met]) -> Option<Refusal> {
    let reason = Reason::Contended;
    met.first().map(|met| Refusal {
        rule: met.rule,
        reason,
    })
}
