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

    /// How many calls to the service have failed.
    pub async fn failed_calls(&self) -> u64 {
        let mut failed = 0;
        for failure in FAILURES {
            failed += self.counter(&format!("limiter.errors.{failure}")).await;
        }
        failed
    }
}
