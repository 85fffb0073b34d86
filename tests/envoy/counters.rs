//! What a proxy says it has counted.

use crate::proxy::{Envoy, until};

/// The kinds of failures of calls that are counted.
pub const FAILURES: [&str; 6] = ["timeout", "unreachable", "status", "body", "count", "item"];

impl Envoy {
    /// One of the filter's counters.
    pub async fn counter(&self, name: &str) -> u64 {
        self.stat(&format!("wasmcustom.weir.{name}")).await
    }

    /// Waits until one of the filter's counters says so much: they are handed over once a second.
    pub async fn counted(&self, name: &str, expected: u64) {
        until(name, async || {
            (self.counter(name).await == expected).then_some(())
        })
        .await;
    }

    /// Waits until a rule has admitted or refused so many requests, and with them is counted whatever happened to them.
    pub async fn decided(&self, rule: &str, requests: u64) {
        until("the counters", async || {
            let allowed = self.counter(&format!("rule.{rule}.allowed")).await;
            let limited = self.counter(&format!("rule.{rule}.limited")).await;
            (allowed + limited == requests).then_some(())
        })
        .await;
    }

    /// Whether nobody had to do without the service, of so many requests that a rule has admitted or refused.
    pub async fn was_told_in_time(&self, rule: &str, requests: u64) -> bool {
        self.decided(rule, requests).await;
        self.counter("limiter.overdue").await + self.failed_calls().await == 0
    }

    /// How many calls to the service have failed.
    pub async fn failed_calls(&self) -> u64 {
        let mut failed = 0;
        for failure in FAILURES {
            failed += self.counter(&format!("limiter.errors.{failure}")).await;
        }
        failed
    }
}
