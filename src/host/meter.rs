//! Metrics: defined once per VM and name, counted in the VM, and handed to the host on ticks.
//!
//! Telling the host of each count would be a thirtieth of what a request costs.

use super::call::{self, HostError, Kind};
use crate::decision::{Count, Decision};
use crate::global::lease::pots;
use crate::local::table::Stats;
use crate::metrics::{self, ServiceCount, StoreCount};
use crate::plan::Plan;
use crate::units::Nanos;

/// The metrics of one VM by name. The host makes a new id each time it is asked, so they outlive a reload.
#[derive(Debug)]
pub struct Registry {
    metrics: Vec<Metric>,
    /// Whether any of them waits to be handed over.
    pending: bool,
}

#[derive(Debug)]
struct Metric {
    name: String,
    id: u32,
    /// Counted, and not yet handed over.
    pending: u64,
}

/// A metric of the registry; `None` where the host refused to define it.
type Handle = Option<usize>;

impl Registry {
    /// An empty registry.
    pub const fn new() -> Self {
        Self {
            metrics: Vec::new(),
            pending: false,
        }
    }

    /// Hands the host what was counted since the last time.
    pub fn hand_over(&mut self) {
        if !std::mem::take(&mut self.pending) {
            return;
        }
        for metric in &mut self.metrics {
            let counted = std::mem::take(&mut metric.pending);
            if counted > 0 {
                // A host that counts no more is none that a request should fail for.
                let _ =
                    call::increment_metric(metric.id, i64::try_from(counted).unwrap_or(i64::MAX));
            }
        }
    }

    /// A metric, defined if it is new.
    ///
    /// A search in a list: only configuring looks names up.
    fn define(&mut self, kind: Kind, name: String) -> Result<usize, HostError> {
        if let Some(known) = self.place(&name) {
            return Ok(known);
        }
        let id = match cfg!(feature = "kong") {
            true => call::define_metric(kind, &metrics::on_kong(&name))?,
            false => call::define_metric(kind, &name)?,
        };
        self.metrics.push(Metric {
            name,
            id,
            pending: 0,
        });
        Ok(self.metrics.len().saturating_sub(1))
    }

    fn place(&self, name: &str) -> Handle {
        self.metrics.iter().position(|metric| metric.name == name)
    }

    /// Sets a gauge, or adds to a histogram, at once.
    fn record(&self, handle: Handle, value: u64) {
        if let Some(metric) = handle.and_then(|handle| self.metrics.get(handle)) {
            // A host that takes no such metric goes without.
            let _ = call::record_metric(metric.id, value);
        }
    }

    fn count(&mut self, handle: Handle, by: u32) {
        if let Some(metric) = handle.and_then(|handle| self.metrics.get_mut(handle)) {
            metric.pending = metric.pending.saturating_add(by.into());
            self.pending = true;
        }
    }
}

/// The metrics of one plan.
#[derive(Debug)]
pub struct Meter {
    /// By rule and [`Count::index`].
    rules: Vec<[Handle; Count::ALL.len()]>,
    store: [Handle; 5],
    entries: Handle,
    /// By [`ServiceCount::index`].
    service: [Handle; ServiceCount::ALL.len()],
    breaker: Handle,
    in_hand: Handle,
    latency: Handle,
    waited: Handle,
}

impl Meter {
    /// Defines what `plan` counts. Also returns the last error of the host, if there was one.
    pub fn new(plan: &Plan, registry: &mut Registry) -> (Self, Option<HostError>) {
        if plan.service.is_none() {
            // What a configuration before has left.
            for gauge in [metrics::BREAKER, metrics::IN_HAND] {
                registry.record(registry.place(gauge), 0);
            }
        }
        let mut failed = None;
        let mut define = |kind, name| {
            let defined = registry.define(kind, name);
            failed = defined.as_ref().err().copied().or(failed);
            defined.ok()
        };
        let rules = plan.rules.iter().map(|rule| {
            Count::ALL.map(|count| define(Kind::Counter, metrics::of_rule(&rule.name, count)))
        });
        let rules = rules.collect();
        let store = StoreCount::of(&Stats::default())
            .map(|(count, _)| define(Kind::Counter, count.name().to_owned()));
        let entries = define(Kind::Gauge, metrics::ENTRIES.to_owned());
        let mut define_service = |kind, name: &str| {
            plan.service.as_ref()?;
            define(kind, name.to_owned())
        };
        let meter = Self {
            rules,
            store,
            entries,
            service: ServiceCount::ALL.map(|count| define_service(Kind::Counter, count.name())),
            breaker: define_service(Kind::Gauge, metrics::BREAKER),
            in_hand: define_service(Kind::Gauge, metrics::IN_HAND),
            latency: define_service(Kind::Histogram, metrics::LATENCY),
            waited: define_service(Kind::Histogram, metrics::WAITED),
        };
        (meter, failed)
    }

    /// Counts a decision.
    pub fn count(&self, decision: &Decision, registry: &mut Registry) {
        for (rule, count) in decision.counts() {
            self.count_one(rule, count, registry);
        }
    }

    /// Counts one request for one rule.
    pub fn count_one(&self, rule: usize, count: Count, registry: &mut Registry) {
        let counters = self.rules.get(rule);
        let counter = counters.and_then(|counters| counters.get(count.index()));
        registry.count(counter.copied().flatten(), 1);
    }

    /// Counts what happened in the store.
    pub fn count_store(&self, stats: &Stats, registry: &mut Registry) {
        if *stats == Stats::default() {
            return;
        }
        for (counter, (_, by)) in self.store.iter().zip(StoreCount::of(stats)) {
            registry.count(*counter, by);
        }
    }

    /// Counts what happened with the service.
    pub fn count_service(&self, count: ServiceCount, by: u32, registry: &mut Registry) {
        if by > 0 {
            let counter = self.service.get(count.index());
            registry.count(counter.copied().flatten(), by);
        }
    }

    /// Counts what happened to pots.
    pub fn count_pots(&self, stats: &pots::Stats, registry: &mut Registry) {
        self.count_service(ServiceCount::Leased, stats.leased, registry);
        self.count_service(ServiceCount::Lapsed, stats.lapsed, registry);
        let retries = Stats {
            retries: stats.retries,
            ..Stats::default()
        };
        self.count_store(&retries, registry);
    }

    /// Sets the gauge of tracked keys.
    pub fn record_entries(&self, entries: u64, registry: &Registry) {
        registry.record(self.entries, entries);
    }

    /// Sets the gauge of what is in hand of leases.
    pub fn record_in_hand(&self, tokens: u64, registry: &Registry) {
        registry.record(self.in_hand, tokens);
    }

    /// Sets the gauge of the breaker: 1 where the service is left alone.
    pub fn record_breaker(&self, is_open: bool, registry: &Registry) {
        registry.record(self.breaker, is_open.into());
    }

    /// Records how long a call took.
    pub fn record_latency(&self, took: Nanos, registry: &Registry) {
        registry.record(self.latency, took.0 / NANOS_PER_MICROSECOND);
    }

    /// Records how long a request waited.
    pub fn record_waited(&self, waited: Nanos, registry: &Registry) {
        registry.record(self.waited, waited.0 / NANOS_PER_MICROSECOND);
    }
}

const NANOS_PER_MICROSECOND: u64 = 1_000;
