//! One request through one plan: which rules it meets, by which keys, and what the store says.

mod decide;
mod estimate;
mod global;

pub use decide::{Asked, Direct, Outcome};

use crate::decision::{Effect, RuleOutcome};
use crate::facts::{Facts, Source, Unreadable};
use crate::global::lease::pots::{self, Pots};
use crate::key::{Key, Keyer};
use crate::local::limit::{Algorithm, Limit};
use crate::local::store::{Fault, Founding, checksum};
use crate::local::table::{Stats, Table};
use crate::plan::{Global, OnMissingKey, Plan, Rule};

/// What a request costs under every rule.
const COST: u32 = 1;

/// A plan at work in one worker.
#[derive(Debug)]
pub struct Engine {
    plan: Plan,
    keyer: Keyer,
    /// `None` as long as the shared data could not be used.
    tables: Option<Tables>,
    /// One for each rule.
    prepared: Vec<Prepared>,
    reads_wall_clock: bool,
    takes_leases: bool,
}

/// Where a proxy keeps what it counts.
#[derive(Debug)]
struct Tables {
    /// By itself.
    local: Table,
    /// Of what the service has granted.
    pots: Pots,
}

/// What is known of a rule before any request.
#[derive(Clone, Copy, Debug)]
struct Prepared {
    /// Groups its entries in the table.
    tag: u16,
    /// Whether a limit of it admits nothing, ever.
    closed: bool,
}

/// A rule that a request meets, and its key there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met {
    /// Index of the rule in the plan.
    pub rule: usize,
    /// What it is counted by.
    pub key: MetKey,
}

/// What a request is counted by under a rule that it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetKey {
    /// This keyed fingerprint.
    Counted(u64),
    /// Nothing yet: there is no table, nor the key of its fingerprints.
    Uncounted,
    /// A part is missing, and the rule denies such requests.
    Missing,
    /// The host did not say what the rule needs to know, so its `on_fault` holds.
    Unreadable,
}

/// What happened besides the decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incidents {
    /// In the store.
    pub stats: Stats,
    /// In the store of what is leased.
    pub pots: pots::Stats,
    /// Pots whose leases run out.
    pub low: Vec<u64>,
    /// Whether a refusal may change before its time.
    pub unsettled: bool,
    /// The first fault of the store.
    pub fault: Option<Fault>,
}

impl Engine {
    /// A plan at work, without a table yet.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let prepared = |rule: &Rule| {
            // Rules whose tags collide are one to eviction's fairness, and to nothing else.
            let sum = checksum(rule.name.as_bytes());
            Prepared {
                tag: u16::try_from(sum & u64::from(u16::MAX)).unwrap_or(0),
                closed: rule.limits.iter().any(is_closed),
            }
        };
        let is_leased = |rule: &Rule| matches!(rule.global, Some(Global::Lease(_)));
        let counted = plan.rules.iter().filter(|rule| !is_leased(rule));
        let mut limits = counted.flat_map(|rule| &rule.limits);
        let reads_wall_clock = plan.response.tells_epoch()
            || limits.any(|limit| matches!(limit.algorithm, Algorithm::Window(_)));
        Self {
            reads_wall_clock,
            takes_leases: plan.rules.iter().any(is_leased),
            keyer: Keyer::new(&plan, &[0; 16]),
            tables: None,
            prepared: plan.rules.iter().map(prepared).collect(),
            plan,
        }
    }

    /// Puts the plan to work on the table that `founding` tells of.
    pub fn join(&mut self, founding: &Founding) {
        self.keyer = Keyer::new(&self.plan, &founding.seed);
        let (domain, max_keys) = (&self.plan.domain, self.plan.max_keys);
        self.tables = Some(Tables {
            local: Table::new(domain, max_keys, founding.dialect),
            pots: Pots::new(domain, max_keys, founding.dialect),
        });
    }

    /// Where it keeps what the service has granted; `None` where no leases are taken, and as long as the shared data
    /// could not be used.
    #[must_use]
    pub fn pots(&self) -> Option<&Pots> {
        let tables = self.tables.as_ref().filter(|_| self.takes_leases)?;
        Some(&tables.pots)
    }

    /// The plan.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether deciding needs the wall clock at its truest: windows are aligned to it, and headers say it.
    #[must_use]
    pub const fn reads_wall_clock(&self) -> bool {
        self.reads_wall_clock
    }

    /// Lists the rules that a request meets. None: it passes, and nothing more need be read.
    ///
    /// `skip` is told which rules do not apply because a part of their key is missing. Returns the last fact that a
    /// rule needed and the host did not give.
    pub fn select<S: Source>(
        &self,
        facts: &mut Facts<'_, S>,
        met: &mut Vec<Met>,
        mut skip: impl FnMut(usize),
    ) -> Option<Unreadable> {
        met.clear();
        if !self.plan.enabled {
            return None;
        }
        let mut unreadable = None;
        for (index, rule) in self.plan.rules.iter().enumerate() {
            // A rule without limits counts nothing, but it may still ask for a key.
            if rule.limits.is_empty() && rule.on_missing_key != OnMissingKey::Deny {
                continue;
            }
            facts.expect_no_fault();
            let matches = rule.matches.as_ref();
            let holds = matches.is_none_or(|matches| matches.holds(facts));
            let key = holds.then(|| self.keyer.key(index, rule, &self.plan.client_ip, facts));
            let key = match (facts.fault(), key) {
                (Some(fault), _) => {
                    unreadable = Some(fault);
                    MetKey::Unreadable
                }
                (None, None) => continue,
                (None, Some(Key::Skip)) => {
                    skip(index);
                    continue;
                }
                (None, Some(Key::Deny)) => MetKey::Missing,
                (None, Some(Key::Found(_))) if rule.limits.is_empty() => continue,
                (None, Some(Key::Found(_))) if self.tables.is_none() => MetKey::Uncounted,
                (None, Some(Key::Found(fingerprint))) => MetKey::Counted(fingerprint),
            };
            met.push(Met { rule: index, key });
        }
        unreadable
    }
}

/// Whether a limit admits nothing, ever.
const fn is_closed(limit: &Limit) -> bool {
    limit.capacity() < COST
}

impl Met {
    /// What it is counted by, if it is.
    #[must_use]
    pub const fn fingerprint(self) -> Option<u64> {
        match self.key {
            MetKey::Counted(fingerprint) => Some(fingerprint),
            MetKey::Uncounted | MetKey::Missing | MetKey::Unreadable => None,
        }
    }

    const fn outcome(self, effect: Effect) -> RuleOutcome {
        RuleOutcome {
            rule: self.rule,
            fingerprint: self.fingerprint(),
            effect,
        }
    }
}

#[cfg(test)]
mod tests;
