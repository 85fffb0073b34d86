use super::*;
use crate::global::lease::Share;
use crate::global::lease::debit::Answer;
use crate::global::lease::pot::{Next, Spend, Waiting, Way};
use crate::global::lease::span::{Ends, Windows};
use crate::local::store::memory::Memory;
use crate::units::{Nanos, Now, Numbers, UnixTime};
use std::num::NonZeroU32;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const SHARE: Share = Share {
    limit: 1_000,
    period: Nanos(60 * Nanos::SECOND.0),
    windows: Windows::Aligned,
    proxies: NonZeroU32::MIN,
};

const END: Instant = Instant(60 * Nanos::SECOND.0);

fn at(seconds: u64) -> Instant {
    Instant(seconds * Nanos::SECOND.0)
}

struct World {
    pots: Pots,
    data: Memory,
    stats: Stats,
}

impl World {
    fn new(max_keys: u32) -> Self {
        let dialect = Dialect::ZeroOverwrites;
        Self {
            pots: Pots::new("d", max_keys, dialect),
            data: Memory::new(dialect),
            stats: Stats::default(),
        }
    }

    fn change<T>(&mut self, pot: u64, now: Instant, change: impl FnMut(&mut Pot) -> T) -> T {
        let stats = &mut self.stats;
        let changed = self.pots.change(&mut self.data, pot, now, stats, change);
        changed.unwrap().unwrap()
    }

    /// Debits so much for a pot.
    fn fill(&mut self, pot: u64, tokens: u32) {
        let now = Now {
            monotonic: at(1),
            unix: UnixTime(at(1).0),
        };
        let way = Way {
            rtt: Nanos(1),
            timeout: Nanos::SECOND,
        };
        self.change(pot, at(1), |pot| {
            let waiting = Waiting {
                all: tokens,
                first: tokens,
                ..Waiting::default()
            };
            let Next::Debit(debit) = pot.next(&SHARE, now, waiting, way) else {
                panic!("it has nothing");
            };
            let answer = Answer {
                granted: true,
                remaining: Some(500),
                ends: Ends {
                    earliest: END,
                    latest: END,
                },
                burns: true,
                shadows: true,
                counted: Numbers {
                    requests: SHARE.limit,
                    per: SHARE.period,
                },
            };
            let _ = pot.fill(&SHARE, &debit, &answer, at(1));
        });
    }

    fn tokens(&mut self, pot: u64, now: Instant) -> u32 {
        self.pots
            .load(&mut self.data, pot, now)
            .unwrap()
            .pot
            .tokens()
    }
}

#[test]
fn pots_of_one_value_are_kept_apart() {
    let mut world = World::new(4);
    let all = [(1, 10), (2, 20), (3, 30), (4, 40)];
    for (pot, tokens) in all {
        world.fill(pot, tokens);
    }
    assert_eq!(world.data.values.len(), 1);
    for (pot, tokens) in all {
        assert_eq!(world.tokens(pot, at(2)), tokens);
    }
    assert_eq!(world.stats, Stats::default());
}

#[test]
fn a_newcomer_takes_the_place_whose_loss_does_the_least_harm() {
    let mut world = World::new(4);
    for (pot, tokens) in [(1, 30), (2, 20), (3, 10), (4, 40)] {
        world.fill(pot, tokens);
    }
    world.fill(5, 50);
    assert_eq!(world.tokens(3, at(2)), 0);
    assert_eq!(world.stats.lapsed, 10);
    // What this proxy admitted by itself is not forgiven for a lease.
    let now = Now {
        monotonic: at(2),
        unix: UnixTime(at(2).0),
    };
    world.change(2, at(2), |pot| {
        while let Spend::Spent { .. } = pot.spend(at(2), 1) {}
        let _ = pot.spend_alone(&SHARE, now, 1);
    });
    world.fill(6, 60);
    assert_eq!([1, 2].map(|pot| world.tokens(pot, at(2))), [0, 0]);
    let second = world.pots.load(&mut world.data, 2, at(2)).unwrap().pot;
    assert_eq!(second.harm(at(2)).0, 1);
    assert_eq!(world.stats.lapsed, 40);
}

#[test]
fn what_has_ended_lapses_once() {
    let mut world = World::new(4);
    world.fill(1, 30);
    assert_eq!(world.tokens(1, at(61)), 0);
    assert_eq!(world.stats.lapsed, 0);
    for _ in 0..2 {
        world.change(1, at(61), |pot| {
            let waiting = Waiting {
                all: 1,
                first: 1,
                ..Waiting::default()
            };
            let now = Now {
                monotonic: at(61),
                unix: UnixTime(at(61).0),
            };
            let way = Way {
                rtt: Nanos(1),
                timeout: Nanos::SECOND,
            };
            let _ = pot.next(&SHARE, now, waiting, way);
        });
        assert_eq!(world.stats.lapsed, 30);
    }
}

#[test]
fn a_broken_value_is_an_empty_one_and_its_neighbours_are_whole() {
    let mut world = World::new(4);
    world.fill(1, 10);
    world.fill(2, 20);
    let (value, _) = world.data.values.values_mut().next().unwrap();
    value[POT_LEN - 1] ^= 1;
    assert_eq!([1, 2].map(|pot| world.tokens(pot, at(2))), [0, 20]);
    let (value, _) = world.data.values.values_mut().next().unwrap();
    value.pop();
    assert_eq!([1, 2].map(|pot| world.tokens(pot, at(2))), [0, 0]);
    world.fill(2, 7);
    assert_eq!(world.tokens(2, at(2)), 7);
}

#[test]
fn who_loses_a_race_begins_again_and_gives_up_at_last() {
    let mut world = World::new(4);
    world.data.losing = 3;
    world.fill(1, 10);
    assert_eq!((world.stats.retries, world.tokens(1, at(2))), (3, 10));
    world.data.losing = u32::try_from(MAX_SWAPS).unwrap();
    let stats = &mut world.stats;
    let spend = |pot: &mut Pot| pot.spend(at(2), 1);
    let changed = world.pots.change(&mut world.data, 1, at(2), stats, spend);
    assert_eq!(changed, Ok(None));
    assert_eq!(world.tokens(1, at(2)), 10);
}
