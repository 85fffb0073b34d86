//! One request through one plan: which rules, which keys, what the store says, one decision.

use crate::decision::{Decision, Effect, Quota, Reason, Refusal, RuleOutcome};
use crate::facts::{Facts, Source};
use crate::key::{Key, Keyer};
use crate::local::limit::{Algorithm, Limit};
use crate::local::refusals::Refusals;
use crate::local::set::Class;
use crate::local::store::{Fault, Founding, SharedData, checksum};
use crate::local::table::{Stats, Table};
use crate::local::transaction::{Demand, Entry, Reading, Settled, Transaction};
use crate::plan::{OnFault, Plan, Rule};
use crate::units::{Nanos, Now, Wait};

/// What a request costs under every rule.
const COST: u32 = 1;

/// A plan at work in one worker.
#[derive(Debug)]
pub struct Engine {
    plan: Plan,
    keyer: Keyer,
    /// `None` as long as the shared data could not be used.
    table: Option<Table>,
    /// One for each rule: groups its entries in the table.
    tags: Vec<u16>,
    refusals: Refusals,
    reads_wall_clock: bool,
}

/// A rule that a request meets, and its key there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met {
    rule: usize,
    /// `None` when a part is missing and the rule denies such requests.
    fingerprint: Option<u64>,
}

/// What happened besides the decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incidents {
    /// In the store.
    pub stats: Stats,
    /// The last fault of the store.
    pub fault: Option<Fault>,
}

impl Engine {
    /// A plan at work, without a table yet.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let tag = |rule: &Rule| {
            let sum = checksum(rule.name.as_bytes());
            u16::try_from(sum & u64::from(u16::MAX)).unwrap_or(0)
        };
        let mut limits = plan.rules.iter().flat_map(|rule| &rule.limits);
        let reads_wall_clock = plan.response.tells_epoch()
            || limits.any(|limit| matches!(limit.algorithm, Algorithm::Window(_)));
        Self {
            reads_wall_clock,
            keyer: Keyer::new(&plan, &[0; 16]),
            table: None,
            tags: plan.rules.iter().map(tag).collect(),
            refusals: Refusals::default(),
            plan,
        }
    }

    /// Puts the plan to work on the table that `founding` tells of.
    pub fn join(&mut self, founding: &Founding) {
        self.keyer = Keyer::new(&self.plan, &founding.seed);
        self.table = Some(Table::new(
            &self.plan.domain,
            self.plan.max_keys,
            founding.dialect,
        ));
    }

    /// The plan.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Lists the rules that a request meets. None: it passes, and nothing more need be read.
    pub fn select<S: Source>(&self, facts: &mut Facts<'_, S>, met: &mut Vec<Met>) {
        met.clear();
        if !self.plan.enabled {
            return;
        }
        for (index, rule) in self.plan.rules.iter().enumerate() {
            if rule.limits.is_empty()
                || !rule
                    .matches
                    .as_ref()
                    .is_none_or(|matches| matches.holds(facts))
            {
                continue;
            }
            match self.keyer.key(index, rule, &self.plan.client_ip, facts) {
                Key::Found(key) => met.push(Met {
                    rule: index,
                    fingerprint: Some(key),
                }),
                Key::Deny => met.push(Met {
                    rule: index,
                    fingerprint: None,
                }),
                Key::Skip => {}
            }
        }
    }

    /// Decides about a request that meets these rules, and charges it if it is admitted.
    pub fn decide(
        &mut self,
        met: &[Met],
        now: Now,
        data: &mut impl SharedData,
        incidents: &mut Incidents,
    ) -> Decision {
        if let Some(decision) = self
            .refused_unread(met)
            .or_else(|| self.refused_again(met, now))
        {
            return decision;
        }
        let Some(table) = &self.table else {
            return self.decide_without_counters(met);
        };
        let mut entries: Vec<Entry<'_>> = Vec::with_capacity(met.len());
        for met in met {
            if let Some(demand) = self.demand(*met) {
                entries.push(Entry::new(demand, table));
            }
        }
        let stats = &mut incidents.stats;
        let settled = Transaction {
            table,
            data,
            now,
            stats,
        }
        .settle(&mut entries);
        incidents.fault = entries.iter().find_map(|entry| entry.fault);
        let decision = self.conclude(met, &entries, settled, now);
        if settled == Settled::Refused {
            self.remember(&decision, now);
        }
        decision
    }

    /// Decides when there are no counters at all: every rule's `on_fault` does.
    pub fn decide_without_counters(&self, met: &[Met]) -> Decision {
        let mut decision = Decision::default();
        for met in met {
            let Some(rule) = self.plan.rules.get(met.rule) else {
                continue;
            };
            let effect = match rule.on_fault {
                OnFault::Allow => Effect::Uncharged,
                OnFault::Deny => Effect::Refused,
            };
            decision.rules.push(met.outcome(effect));
            if effect == Effect::Refused {
                let reason = Reason::Unavailable;
                decision.refusal.get_or_insert(Refusal {
                    rule: met.rule,
                    reason,
                });
            }
        }
        decision
    }

    /// How many keys still owe something: an estimate from up to `sets` sets of each class that the plan
    /// uses, beginning anywhere at `first`; exact when that covers the table.
    pub fn tracked_keys(&self, data: &mut impl SharedData, now: Now, first: u32, sets: u32) -> u64 {
        let Some(table) = &self.table else { return 0 };
        let looked_at = sets.min(table.sets());
        let mut stats = Stats::default();
        let mut live = 0_u64;
        for class in self.classes() {
            for step in 0..looked_at {
                let set = first.wrapping_add(step) % table.sets();
                if let Ok(loaded) =
                    table.load(data, table.place_of_set(class, set), class, &mut stats)
                {
                    live += u64::from(loaded.set.live(now));
                }
            }
        }
        live * u64::from(table.sets()) / u64::from(looked_at.max(1))
    }

    /// Whether deciding needs the wall clock at its truest: windows are aligned to it, and headers say it.
    #[must_use]
    pub const fn reads_wall_clock(&self) -> bool {
        self.reads_wall_clock
    }

    fn classes(&self) -> Vec<Class> {
        let mut classes: Vec<Class> = Vec::new();
        for rule in &self.plan.rules {
            let class = Class::for_limits(rule.limits.len());
            if !rule.limits.is_empty() && !classes.contains(&class) {
                classes.push(class);
            }
        }
        classes
    }

    fn demand(&self, met: Met) -> Option<Demand<'_>> {
        let rule = self.plan.rules.get(met.rule)?;
        Some(Demand {
            limits: &rule.limits,
            tag: self.tags.get(met.rule).copied().unwrap_or(0),
            fingerprint: met.fingerprint?,
            cost: COST,
            deny_on_fault: rule.on_fault == OnFault::Deny,
        })
    }

    /// A refusal that no counter can change: a missing key that is denied, a limit that admits nothing.
    fn refused_unread(&self, met: &[Met]) -> Option<Decision> {
        let hopeless = |met: &Met| {
            let rule = self.plan.rules.get(met.rule);
            met.fingerprint.is_none() || rule.is_some_and(|rule| rule.limits.iter().any(closed))
        };
        if !met.iter().any(hopeless) {
            return None;
        }
        let mut decision = Decision::default();
        for met in met {
            let effect = if hopeless(met) {
                Effect::Refused
            } else {
                Effect::Passed
            };
            decision.rules.push(met.outcome(effect));
            let rule = self.plan.rules.get(met.rule)?;
            for (limit, _) in rule
                .limits
                .iter()
                .enumerate()
                .filter(|(_, limit)| closed(limit))
            {
                let violated = Some(Wait::Never);
                let (remaining, reset) = (0, Nanos(0));
                decision.quotas.push(Quota {
                    rule: met.rule,
                    limit,
                    remaining,
                    reset,
                    violated,
                });
            }
        }
        let keyless = met.iter().find(|met| met.fingerprint.is_none());
        let keyless = keyless.map(|met| Refusal {
            rule: met.rule,
            reason: Reason::MissingKey,
        });
        decision.refusal = keyless.or_else(|| decision.longest_wait());
        Some(decision)
    }

    /// A refusal from memory, when one of the keys is known to be refused still.
    fn refused_again(&self, met: &[Met], now: Now) -> Option<Decision> {
        let recall = |met: &Met| self.refusals.recall(met.fingerprint?, COST, now.monotonic);
        let first = met.iter().position(|met| recall(met).is_some())?;
        let mut decision = Decision::default();
        for (index, met) in met.iter().enumerate() {
            let known = if index < first { None } else { recall(met) };
            let effect = if known.is_some() {
                Effect::Refused
            } else {
                Effect::Passed
            };
            decision.rules.push(met.outcome(effect));
            decision.read(met.rule, known.unwrap_or_default());
        }
        decision.refusal = decision.longest_wait();
        Some(decision)
    }

    fn remember(&mut self, decision: &Decision, now: Now) {
        for rule in decision
            .rules
            .iter()
            .filter(|rule| rule.effect == Effect::Refused)
        {
            let own = decision
                .quotas
                .iter()
                .filter(|quota| quota.rule == rule.rule);
            let readings = own.map(|quota| Reading {
                remaining: quota.remaining,
                reset: quota.reset,
                wait: quota.violated,
            });
            self.refusals
                .remember(rule.fingerprint, COST, now.monotonic, readings.collect());
        }
    }

    fn conclude(&self, met: &[Met], entries: &[Entry<'_>], settled: Settled, now: Now) -> Decision {
        let admitted = settled == Settled::Admitted;
        let mut decision = Decision::default();
        decision.rules.reserve_exact(met.len());
        for (index, (met, entry)) in met.iter().zip(entries).enumerate() {
            let effect = match settled {
                Settled::Contended(at) | Settled::Unavailable(at) if at == index => Effect::Refused,
                _ if entry.fault.is_some() => Effect::Uncharged,
                Settled::Admitted => Effect::Charged,
                _ if entry.refuses() => Effect::Refused,
                _ => Effect::Passed,
            };
            decision.rules.push(met.outcome(effect));
            if !admitted || self.plan.response.shows_quotas() {
                decision.read(met.rule, entry.readings(admitted, now));
            }
        }
        let at = |index: usize| met.get(index).map_or(0, |met| met.rule);
        decision.refusal = match settled {
            Settled::Admitted => None,
            Settled::Refused => decision.longest_wait(),
            Settled::Contended(index) => Some(Refusal {
                rule: at(index),
                reason: Reason::Contended,
            }),
            Settled::Unavailable(index) => Some(Refusal {
                rule: at(index),
                reason: Reason::Unavailable,
            }),
        };
        decision
    }
}

/// Whether a limit admits nothing, ever.
fn closed(limit: &Limit) -> bool {
    limit.capacity() < COST
}

impl Met {
    const fn outcome(self, effect: Effect) -> RuleOutcome {
        let fingerprint = match self.fingerprint {
            Some(fingerprint) => fingerprint,
            None => 0,
        };
        RuleOutcome {
            rule: self.rule,
            fingerprint,
            effect,
        }
    }
}

impl Decision {
    fn read(&mut self, rule: usize, readings: Vec<Reading>) {
        self.quotas.extend(
            readings
                .into_iter()
                .enumerate()
                .map(|(limit, reading)| Quota {
                    rule,
                    limit,
                    remaining: reading.remaining,
                    reset: reading.reset,
                    violated: reading.wait,
                }),
        );
    }

    /// The refusal by the limit that refuses for longest.
    fn longest_wait(&self) -> Option<Refusal> {
        let waits = self
            .quotas
            .iter()
            .filter_map(|quota| Some((quota.violated?, quota)));
        let (wait, quota) = waits.max_by_key(|(wait, _)| *wait)?;
        let reason = Reason::Limited {
            limit: quota.limit,
            wait,
        };
        Some(Refusal {
            rule: quota.rule,
            reason,
        })
    }
}

#[cfg(test)]
mod tests;
