//! What the metrics are called. Envoy puts `wasmcustom.` before each name.
//!
//! A metric lives as long as the proxy does, so names are made of rules, never of clients.

use crate::decision::Count;
use crate::global::wire::Fault;
use crate::local::table::Stats;

/// Name of the counter of what one rule counts.
#[must_use]
pub fn of_rule(rule: &str, count: Count) -> String {
    let suffix = match count {
        Count::Allowed => "allowed",
        Count::Limited => "limited",
        Count::Errors => "errors",
        Count::Uncharged => "uncharged",
        Count::Skipped => "skipped",
    };
    format!("weir.rule.{rule}.{suffix}")
}

/// The name of a metric on Kong, whose Prometheus plugin writes names as they are, and Prometheus reads none with a dot.
///
/// The rule is at the end, since what `metrics.label_patterns` find ends the name there.
#[must_use]
pub fn on_kong(name: &str) -> String {
    let of_rule = name.strip_prefix("weir.rule.");
    match of_rule.and_then(|rest| rest.rsplit_once('.')) {
        Some((rule, count)) => format!("weir_rule_{count}.rule.{rule}"),
        None => name.replace('.', "_"),
    }
}

/// Name of the gauge of keys that owe something, of the whole proxy.
pub const ENTRIES: &str = "weir.store.entries";

/// A counter of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreCount {
    /// Entries that gave way to newcomers.
    Evictions,
    /// Of those, the ones that still owed: so many clients were forgiven.
    EvictedIndebted,
    /// Compare-and-swaps that lost, and were tried again.
    Retries,
    /// Requests that lost too many of them, and were refused.
    Contended,
    /// Sets that were broken, and begun anew.
    Corrupt,
}

impl StoreCount {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Evictions => "weir.store.evictions",
            Self::EvictedIndebted => "weir.store.evicted_indebted",
            Self::Retries => "weir.store.retries",
            Self::Contended => "weir.store.contended",
            Self::Corrupt => "weir.store.corrupt",
        }
    }

    /// What to add to each counter for what happened.
    #[must_use]
    pub const fn of(stats: &Stats) -> [(Self, u32); 5] {
        let indebted = stats.evicted_indebted;
        [
            (Self::Evictions, stats.evicted_free.saturating_add(indebted)),
            (Self::EvictedIndebted, indebted),
            (Self::Retries, stats.retries),
            (Self::Contended, stats.contended),
            (Self::Corrupt, stats.corrupt),
        ]
    }
}

/// Name of the gauge of the breaker's state: 0 closed, 1 open, which half open is too.
pub const BREAKER: &str = "weir.limiter.breaker";

/// Name of the gauge of what the whole proxy holds of leases.
pub const IN_HAND: &str = "weir.limiter.in_hand";

/// Name of the histogram of how long calls took, in microseconds.
pub const LATENCY: &str = "weir.limiter.latency_us";

/// Name of the histogram of how long requests waited, in microseconds.
pub const WAITED: &str = "weir.limiter.waited_us";

/// A counter of the rate limit service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceCount {
    /// Calls that were begun.
    Calls,
    /// Calls that failed for want of time.
    Timeout,
    /// Calls that could not be begun, or whose connection broke.
    Unreachable,
    /// Calls that were answered with a status with which the service neither grants nor refuses.
    Status,
    /// Calls whose answer could not be read.
    Body,
    /// Calls that were answered for another number of asks.
    Count,
    /// Calls that failed at all that they asked, each for itself.
    Item,
    /// Requests that waited.
    Parked,
    /// Of those, the ones that got no answer within `max_wait`.
    Overdue,
    /// Cost that was granted to be leased, what requests waited for included.
    Leased,
    /// Of that, what nobody could spend in its window.
    Lapsed,
    /// Requests about which the service did not say: it was left alone, too many waited, or no answer came in time.
    Alone,
}

impl ServiceCount {
    /// All of them, each at its [`Self::index`].
    pub const ALL: [Self; 12] = [
        Self::Calls,
        Self::Timeout,
        Self::Unreachable,
        Self::Status,
        Self::Body,
        Self::Count,
        Self::Item,
        Self::Parked,
        Self::Overdue,
        Self::Leased,
        Self::Lapsed,
        Self::Alone,
    ];

    /// What counts calls that failed so.
    #[must_use]
    pub const fn of(fault: Fault) -> Self {
        match fault {
            Fault::Timeout => Self::Timeout,
            Fault::Unreachable => Self::Unreachable,
            Fault::Status(_) => Self::Status,
            Fault::Body => Self::Body,
            Fault::Count => Self::Count,
            Fault::Item => Self::Item,
        }
    }

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Calls => 0,
            Self::Timeout => 1,
            Self::Unreachable => 2,
            Self::Status => 3,
            Self::Body => 4,
            Self::Count => 5,
            Self::Item => 6,
            Self::Parked => 7,
            Self::Overdue => 8,
            Self::Leased => 9,
            Self::Lapsed => 10,
            Self::Alone => 11,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calls => "weir.limiter.calls",
            Self::Timeout => "weir.limiter.errors.timeout",
            Self::Unreachable => "weir.limiter.errors.unreachable",
            Self::Status => "weir.limiter.errors.status",
            Self::Body => "weir.limiter.errors.body",
            Self::Count => "weir.limiter.errors.count",
            Self::Item => "weir.limiter.errors.item",
            Self::Parked => "weir.limiter.parked",
            Self::Overdue => "weir.limiter.overdue",
            Self::Leased => "weir.limiter.leased",
            Self::Lapsed => "weir.limiter.lapsed",
            Self::Alone => "weir.limiter.alone",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Dashboards and alerts are built on these.
    #[test]
    fn names_stay_what_they_are() {
        let rule = Count::ALL.map(|count| of_rule("per-client", count));
        assert_eq!(
            rule,
            [
                "weir.rule.per-client.allowed",
                "weir.rule.per-client.limited",
                "weir.rule.per-client.errors",
                "weir.rule.per-client.uncharged",
                "weir.rule.per-client.skipped",
            ]
        );
        let stats = Stats {
            retries: 1,
            contended: 5,
            evicted_free: 2,
            evicted_indebted: 3,
            corrupt: 4,
        };
        assert_eq!(
            StoreCount::of(&stats).map(|(count, number)| (count.name(), number)),
            [
                ("weir.store.evictions", 5),
                ("weir.store.evicted_indebted", 3),
                ("weir.store.retries", 1),
                ("weir.store.contended", 5),
                ("weir.store.corrupt", 4),
            ]
        );
    }

    #[test]
    fn names_on_kong_have_no_dot_before_the_label() {
        let rule = on_kong(&of_rule("a.rule.b-c", Count::Allowed));
        assert_eq!(rule, "weir_rule_allowed.rule.a.rule.b-c");
        assert_eq!(on_kong(BREAKER), "weir_limiter_breaker");
    }
}
