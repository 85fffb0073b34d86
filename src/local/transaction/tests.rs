use std::collections::HashMap;
use std::num::NonZeroU32;

use super::*;
use crate::local::gcra::Bucket;
use crate::local::limit::Algorithm;
use crate::local::store::Dialect;
use crate::units::Instant;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Shared data of one worker, in the dialect of [`Dialect::ZeroOverwrites`].
#[derive(Default)]
struct Data {
    values: HashMap<Vec<u8>, (Vec<u8>, u32)>,
    writes: u32,
}

impl SharedData for Data {
    fn get(&mut self, key: &[u8]) -> Result<Option<(Vec<u8>, u32)>, Fault> {
        Ok(self.values.get(key).cloned())
    }

    fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<Swap, Fault> {
        let found = self.values.get(key).map(|(_, cas)| *cas);
        if cas != 0 && found.is_some_and(|found| found != cas) {
            return Ok(Swap::Lost);
        }
        self.writes += 1;
        self.values
            .insert(key.to_vec(), (value.to_vec(), self.writes));
        Ok(Swap::Done)
    }
}

const MINUTE: Nanos = Nanos(60 * Nanos::SECOND.0);

fn bucket(requests: u32, per: Nanos, burst: u32) -> Limit {
    let nonzero = |n| NonZeroU32::new(n).unwrap();
    Limit {
        name: "l".into(),
        policy: "l".into(),
        requests,
        per,
        algorithm: Algorithm::TokenBucket(
            Bucket::new(nonzero(requests), per, nonzero(burst)).unwrap(),
        ),
    }
}

fn demand(limits: &[Limit], fingerprint: u64) -> Demand<'_> {
    Demand {
        limits,
        tag: 1,
        fingerprint,
        cost: 1,
        deny_on_fault: false,
    }
}

fn at(monotonic: Nanos) -> Now {
    Now {
        monotonic: Instant(monotonic.0),
        ..Now::default()
    }
}

/// The wait that a single demand is refused with; `None` when it is admitted.
fn ask(data: &mut Data, limits: &[Limit], now: Now) -> Option<Wait> {
    let table = Table::new("d", 1_024, Dialect::ZeroOverwrites);
    let mut entries = [Entry::new(demand(limits, 7), &table)];
    let settled = Transaction {
        table: &table,
        data,
        now,
        stats: &mut Stats::default(),
    }
    .settle(&mut entries);
    let wait = entries[0].tested[0].wait;
    assert_eq!(settled == Settled::Refused, wait.is_some());
    wait
}

#[test]
fn what_a_raised_limit_promises_it_keeps() {
    let mut data = Data::default();
    let slow = [bucket(1, MINUTE, 60)];
    let fast = [bucket(60, MINUTE, 60)];
    for _ in 0..60 {
        assert_eq!(ask(&mut data, &slow, at(MINUTE)), None);
    }
    assert_eq!(
        ask(&mut data, &fast, at(MINUTE)),
        Some(Wait::After(Nanos::SECOND))
    );
    let promised = Nanos(MINUTE.0 + Nanos::SECOND.0);
    let just_before = at(Nanos(promised.0 - 1));
    assert_eq!(
        ask(&mut data, &fast, just_before),
        Some(Wait::After(Nanos(1)))
    );
    assert_eq!(ask(&mut data, &fast, at(promised)), None);
}
