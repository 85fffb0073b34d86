//! Two plans at work on one table, as they are while the connections of a replaced listener drain.

use super::{CALM, Course, PLAN, Plans, run, runs};

/// Half the rates, and other bursts: one that is lowered, one that is raised.
const CHANGED: &str = r#"{
  "rules": [
    { "name": "client", "key": ["client_ip"], "limits": [
      { "requests": 2, "per": "1s", "burst": 3 },
      { "requests": 20, "per": "1m", "algorithm": "sliding_window" } ] },
    { "name": "all", "limits": [{ "requests": 10, "per": "1s", "algorithm": "fixed_window" }] },
    { "name": "pair", "key": ["client_ip"], "limits": [{ "requests": 3, "per": "2s", "burst": 11 }] }
  ]
}"#;

impl Plans {
    /// The plan of worker number `worker`.
    pub const fn of(self, worker: u64) -> &'static str {
        match self {
            Self::First => PLAN,
            Self::ByTurns if worker.is_multiple_of(2) => PLAN,
            Self::Second | Self::ByTurns => CHANGED,
        }
    }
}

const DRAIN: Course = Course {
    plans: Plans::ByTurns,
    ..CALM
};

#[test]
fn two_plans_keep_to_the_larger_limits_together() {
    for crossings in [0.0, 0.3] {
        let total = runs(8, Course { crossings, ..DRAIN });
        assert!(total.uncharged == 0 && total.refused > 1_000 && total.admitted > 1_000);
    }
}

#[test]
fn two_plans_admit_no_less_than_the_smaller_one() {
    for seed in 0..4 {
        let [smaller, both, larger] = [Plans::Second, Plans::ByTurns, Plans::First].map(|plans| {
            let record = run(seed, Course { plans, ..CALM });
            record.admitted as f64
        });
        // Not the same requests: chance goes another way.
        assert!(
            both > 0.9 * smaller && both < 1.1 * larger,
            "seed {seed}: {smaller}, {both}, {larger}"
        );
    }
}
