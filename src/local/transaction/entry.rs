//! What one rule asks for one key, and what its limits said.

use super::super::limit::{Adopted, Limit};
use super::super::set::{Class, Place};
use super::super::store::Fault;
use super::super::table::{Loaded, Table};
use crate::units::{Nanos, Now, Wait};

/// What one rule asks for one key.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'p> {
    /// The rule's limits; none of them closed, and at least one.
    pub limits: &'p [Limit],
    /// Groups the entries of one rule, so that eviction is fair between rules.
    pub tag: u16,
    /// Keyed fingerprint of rule and key; never zero.
    pub fingerprint: u64,
    /// What the request costs, at most what each limit can hold.
    pub cost: u32,
    /// Whether a store that cannot be used refuses the request.
    pub deny_on_fault: bool,
}

/// What one limit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Cost that still fits.
    pub remaining: u32,
    /// Time until everything fits.
    pub reset: Nanos,
    /// How long it refuses; `None` when it does not.
    pub wait: Option<Wait>,
}

/// A demand under way.
#[derive(Debug)]
pub struct Entry<'p> {
    /// What is asked.
    pub demand: Demand<'p>,
    /// Why there are no counters.
    pub fault: Option<Fault>,
    pub(super) place: Place,
    pub(super) class: Class,
    pub(super) loaded: Option<Loaded>,
    /// One for each limit.
    pub(super) tested: Vec<Tested>,
    /// Whether a limit that refuses was changed since its cell was stored.
    pub(super) adopted: bool,
}

/// What the last test of one limit found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tested {
    /// Its cell as it was found.
    pub before: Adopted,
    /// Its cell after the charge; as it was found where the limit refuses.
    pub after: Adopted,
    pub wait: Option<Wait>,
}

impl<'p> Entry<'p> {
    /// A demand on `table` that nothing has been asked yet.
    #[must_use]
    pub fn new(demand: Demand<'p>, table: &Table) -> Self {
        let class = Class::for_limits(demand.limits.len());
        Self {
            demand,
            fault: None,
            place: table.place(class, demand.fingerprint),
            class,
            loaded: None,
            tested: Vec::with_capacity(demand.limits.len()),
            adopted: false,
        }
    }

    /// Whether a limit refused it when it was last tested.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.tested.iter().any(|tested| tested.wait.is_some())
    }

    /// What each limit says, after the charge or, if nothing was charged, as it was found. Empty when there
    /// are no counters.
    pub fn readings(&self, charged: bool, now: Now) -> impl Iterator<Item = Reading> {
        let limits = self.demand.limits.iter().zip(&self.tested);
        let read = move |(limit, tested): (&Limit, &Tested)| {
            let cell = if charged { tested.after } else { tested.before };
            let (remaining, reset) = limit.quota(cell, now);
            Reading {
                remaining,
                reset,
                wait: tested.wait,
            }
        };
        limits.map(read)
    }

    /// The smallest share that any of its limits has left: what decides who is charged first.
    pub(super) fn strictness(&self, now: Now) -> f64 {
        let left = |(limit, tested): (&Limit, &Tested)| {
            f64::from(limit.quota(tested.after, now).0) / f64::from(limit.capacity().max(1))
        };
        let limits = self.demand.limits.iter().zip(&self.tested);
        limits.map(left).fold(f64::INFINITY, f64::min)
    }

    pub(super) fn fail(&mut self, fault: Fault) {
        self.fault = Some(fault);
        self.tested.clear();
    }
}

impl Tested {
    pub fn of(limit: &Limit, before: Adopted, now: Now, cost: u32) -> Self {
        let charged = limit.charge(before, now, cost);
        Self {
            before,
            after: charged.unwrap_or(before),
            wait: charged.err(),
        }
    }
}
