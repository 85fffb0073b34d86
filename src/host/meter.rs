//! Metrics: defined once per VM and name, counted without asking for data.

use super::call::{self, Kind};
use crate::decision::{Count, Decision};
use crate::local::table::Stats;
use crate::metrics::{self, StoreCount};
use crate::plan::Plan;

/// Metric ids by name. The host makes a new id each time it is asked, so they outlive a reload.
///
/// A list: only configuring looks names up.
#[derive(Debug)]
pub struct Registry {
    ids: Vec<(String, u32)>,
}

impl Registry {
    /// An empty registry.
    pub const fn new() -> Self {
        Self { ids: Vec::new() }
    }

    /// A metric's id, defined if it is new; `None` when the host refuses.
    fn id(&mut self, kind: Kind, name: String) -> Option<u32> {
        if let Some((_, id)) = self.ids.iter().find(|(known, _)| *known == name) {
            return Some(*id);
        }
        let id = call::define_metric(kind, &name).ok()?;
        self.ids.push((name, id));
        Some(id)
    }
}

/// The metrics of one plan; `None` where the host refused to define one.
#[derive(Debug)]
pub struct Meter {
    rules: Vec<[Option<u32>; 4]>,
    store: [Option<u32>; 4],
    entries: Option<u32>,
}

impl Meter {
    /// Defines what `plan` counts.
    pub fn new(plan: &Plan, registry: &mut Registry) -> Self {
        let mut counter = |name| registry.id(Kind::Counter, name);
        let rules = plan.rules.iter().map(|rule| {
            [
                Count::Allowed,
                Count::Limited,
                Count::Errors,
                Count::Uncharged,
            ]
            .map(|count| counter(metrics::of_rule(&rule.name, count)))
        });
        Self {
            rules: rules.collect(),
            store: StoreCount::of(&Stats::default())
                .map(|(count, _)| counter(count.name().to_owned())),
            entries: registry.id(Kind::Gauge, metrics::ENTRIES.to_owned()),
        }
    }

    /// Counts a decision.
    pub fn count(&self, decision: &Decision) {
        for (rule, count) in decision.counts() {
            let ids = self.rules.get(rule);
            increment(
                ids.and_then(|ids| ids.get(count as usize))
                    .copied()
                    .flatten(),
                1,
            );
        }
    }

    /// Counts what happened in the store.
    pub fn count_store(&self, stats: &Stats) {
        for (id, (_, by)) in self.store.iter().zip(StoreCount::of(stats)) {
            increment(*id, by);
        }
    }

    /// Sets the gauge of tracked keys.
    pub fn record_entries(&self, entries: u64) {
        if let Some(id) = self.entries {
            // A host without gauges goes without.
            let _ = call::record_metric(id, entries);
        }
    }
}

fn increment(id: Option<u32>, by: u32) {
    if let Some(id) = id.filter(|_| by > 0) {
        // A metric that cannot be counted must not cost a request.
        let _ = call::increment_metric(id, by.into());
    }
}
