use std::num::NonZeroU32;

use super::*;
use crate::local::gcra::Bucket;
use crate::local::limit::Algorithm;
use crate::local::set::Class;
use crate::local::store::Dialect;
use crate::local::store::memory::Memory;
use crate::units::Instant;
use crate::units::{Nanos, Wait};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

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
fn ask(data: &mut Memory, limits: &[Limit], now: Now) -> Option<Wait> {
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
    let mut data = Memory::new(Dialect::ZeroOverwrites);
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

/// What became of demands with these limits and fingerprints.
fn settle(data: &mut Memory, demands: &[Demand<'_>], now: Now, stats: &mut Stats) -> Settled {
    let table = Table::new("d", 1_024, Dialect::ZeroOverwrites);
    let mut entries: Vec<Entry<'_>> = demands
        .iter()
        .map(|demand| Entry::new(*demand, &table))
        .collect();
    Transaction {
        table: &table,
        data,
        now,
        stats,
    }
    .settle(&mut entries)
}

/// What a demand finds left by each of its limits.
fn left(data: &mut Memory, demand: Demand<'_>, now: Now) -> Vec<u32> {
    let table = Table::new("d", 1_024, Dialect::ZeroOverwrites);
    let place = table.place(Class::for_limits(demand.limits.len()), demand.fingerprint);
    let class = Class::for_limits(demand.limits.len());
    let loaded = table.load(data, place, class, &mut Stats::default());
    let loaded = loaded.unwrap();
    let cells = loaded.set.find(demand.fingerprint).into_iter().flatten();
    let cells = cells.chain(std::iter::repeat(Cell::default()));
    let limits = demand.limits.iter().zip(cells);
    limits
        .map(|(limit, cell)| limit.quota(limit.adopt(cell, now.monotonic), now).0)
        .collect()
}

#[test]
fn two_configurations_by_turns_admit_what_one_would() {
    // 1 a minute and 60 a minute, or a burst of 10 and of 60: while one drains, clients have the choice.
    let burst = [bucket(60, MINUTE, 60)];
    for other in [[bucket(1, MINUTE, 60)], [bucket(10, MINUTE, 10)]] {
        let mut data = Memory::new(Dialect::ZeroOverwrites);
        let mut admitted = 0;
        for tick in 0..6_000 {
            let now = at(Nanos(MINUTE.0 + tick * 10 * Nanos::MILLISECOND.0));
            for limits in [&burst, &other] {
                admitted += u32::from(ask(&mut data, limits, now).is_none());
            }
        }
        assert!((60..=120).contains(&admitted), "{admitted}");
    }
}

#[test]
fn a_lowered_limit_forgives_nothing() {
    let mut data = Memory::new(Dialect::ZeroOverwrites);
    let fast = [bucket(60, MINUTE, 60)];
    let slow = [bucket(1, MINUTE, 60)];
    while ask(&mut data, &fast, at(MINUTE)).is_none() {}
    assert_eq!(ask(&mut data, &slow, at(MINUTE)), Some(Wait::After(MINUTE)));
}

#[test]
fn a_refused_request_is_charged_nowhere() {
    let mut data = Memory::new(Dialect::ZeroOverwrites);
    let (wide, narrow) = (
        [bucket(9, MINUTE, 9), bucket(5, MINUTE, 5)],
        [bucket(2, MINUTE, 2)],
    );
    let demands = [demand(&wide, 1), demand(&narrow, 2)];
    let now = at(MINUTE);
    let stats = &mut Stats::default();
    for expected in [Settled::Admitted, Settled::Admitted, Settled::Refused] {
        assert_eq!(settle(&mut data, &demands, now, stats), expected);
    }
    assert_eq!(left(&mut data, demands[0], now), [7, 3]);
    assert_eq!(left(&mut data, demands[1], now), [0]);
}

#[test]
fn lost_races_are_bounded_and_charge_nothing() {
    let mut data = Memory::new(Dialect::ZeroOverwrites);
    let limits = [bucket(2, MINUTE, 2)];
    let stats = &mut Stats::default();
    data.losing = u32::MAX;
    let settled = settle(&mut data, &[demand(&limits, 1)], at(MINUTE), stats);
    assert_eq!(settled, Settled::Contended(0));
    let most = u32::try_from(MAX_SWAPS).unwrap();
    assert_eq!((data.writes, data.reads, stats.retries), (most, most, most));
    data.losing = most - 1;
    let settled = settle(&mut data, &[demand(&limits, 1)], at(MINUTE), stats);
    assert_eq!(settled, Settled::Admitted);
    assert_eq!(left(&mut data, demand(&limits, 1), at(MINUTE)), [1]);
}

#[test]
fn one_rule_without_counters_does_not_stop_the_others() {
    let (one, two) = (
        [bucket(3, MINUTE, 3)],
        [bucket(3, MINUTE, 3), bucket(3, MINUTE, 3)],
    );
    let mut data = Memory::new(Dialect::ZeroOverwrites);
    // Sets of two limits have 0x40 as the last byte of their key.
    data.failing = Some((0x40, Fault::Host(2)));
    let mut demands = [demand(&one, 1), demand(&two, 2)];
    let stats = &mut Stats::default();
    let now = at(MINUTE);
    assert_eq!(settle(&mut data, &demands, now, stats), Settled::Admitted);
    assert_eq!(left(&mut data, demands[0], now), [2]);
    demands[1].deny_on_fault = true;
    assert_eq!(
        settle(&mut data, &demands, now, stats),
        Settled::Unavailable(1)
    );
    assert_eq!(left(&mut data, demands[0], now), [2]);
}

/// What is left of each limit after three requests under `before` and one more under `after`.
fn left_after_reload(before: &[Limit], after: &[Limit]) -> Vec<u32> {
    let mut data = Memory::new(Dialect::ZeroOverwrites);
    let stats = &mut Stats::default();
    let now = at(MINUTE);
    for limits in [before, before, before, after] {
        let settled = settle(&mut data, &[demand(limits, 1)], now, stats);
        assert_eq!(settled, Settled::Admitted);
    }
    left(&mut data, demand(after, 1), now)
}

#[test]
fn limits_of_one_period_keep_their_counts_when_they_change_places() {
    let [steady, bursty] = [bucket(9, MINUTE, 9), bucket(5, MINUTE, 20)];
    let moved = [bursty.clone(), steady.clone()];
    let before = [steady.clone(), bursty.clone()];
    assert_eq!(left_after_reload(&before, &moved), [16, 5]);
    // One that is new takes neither's count while both still have theirs.
    let added = [bucket(30, MINUTE, 30), bursty.clone(), steady.clone()];
    let spare = [steady.clone(), bursty.clone(), bucket(8, MINUTE, 8)];
    assert_eq!(left_after_reload(&spare, &added), [26, 16, 5]);
    // What is changed and in its place goes on there, what is changed and moved by what is over.
    assert_eq!(
        left_after_reload(&before, &[steady, bucket(6, MINUTE, 30)]),
        [5, 26]
    );
    assert_eq!(
        left_after_reload(&before, &[bursty, bucket(8, MINUTE, 12)]),
        [16, 8]
    );
}

#[test]
fn limits_may_change_places_and_keep_their_counts() {
    let [second, minute] = [bucket(4, Nanos::SECOND, 4), bucket(9, MINUTE, 9)];
    let left = left_after_reload(&[second.clone(), minute.clone()], &[minute, second]);
    assert_eq!(left, [5, 0]);
}
