use std::num::NonZeroU32;

use super::*;
use crate::local::cell::Tag;
use crate::local::gcra::{Bucket, FullAt};
use crate::units::Nanos;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const PLACE: Place = Place { table: 7, slot: 9 };

fn now() -> Now {
    Now {
        monotonic: Instant(1_000 * Nanos::SECOND.0),
        ..Now::default()
    }
}

/// The cell of a bucket of 10 a second that is short of `missing`.
fn owing(missing: u32) -> impl Iterator<Item = Cell> {
    let ten = NonZeroU32::new(10).unwrap();
    let bucket = Bucket::new(ten, Nanos::SECOND, ten).unwrap();
    let state = match missing {
        0 => FullAt::default(),
        _ => bucket
            .charge(FullAt::default(), now().monotonic, missing)
            .unwrap(),
    };
    std::iter::once(Cell::bucket(Tag::of_bucket(Nanos::SECOND), state, 10, 10))
}

/// A set of these entries: (fingerprint, rule, missing).
fn filled(entries: &[(u64, u16, u32)]) -> Set {
    let mut set = Set::empty(PLACE, Class::for_limits(1));
    for (fingerprint, rule, missing) in entries {
        let evicted = set.place(*fingerprint, *rule, owing(*missing), now());
        assert_eq!(evicted, Evicted::Nothing);
    }
    set
}

/// Which of these entries a newcomer of `rule` displaces.
fn displaced(entries: &[(u64, u16, u32)], rule: u16) -> (Option<u64>, Evicted) {
    let mut set = filled(entries);
    let evicted = set.place(99, rule, owing(1), now());
    assert!(set.find(99).is_some());
    let gone = |(fingerprint, ..): &&(u64, u16, u32)| set.find(*fingerprint).is_none();
    let gone = entries.iter().find(gone);
    (gone.map(|(fingerprint, ..)| *fingerprint), evicted)
}

#[test]
fn a_set_survives_storage() {
    for limits in 1..=8 {
        let class = Class::for_limits(limits);
        assert!(class.cells() >= limits);
        let mut set = Set::empty(PLACE, class);
        let _ = set.place(5, 1, owing(3), now());
        let stored = set.seal(now().monotonic).to_vec();
        assert_eq!(stored.len(), class.set_len());
        let set = Set::parse(stored, PLACE, class).unwrap();
        assert_eq!(set.find(5).unwrap().next(), owing(3).next());
        assert_eq!(set.find(5).unwrap().count(), class.cells());
        assert!(set.find(6).is_none());
        assert_eq!(set.written_at(), now().monotonic);
    }
}

#[test]
fn a_value_says_where_it_belongs() {
    let class = Class::for_limits(1);
    let stored = filled(&[(5, 1, 3)]).seal(Instant(1)).to_vec();
    let elsewhere = [Place { slot: 8, ..PLACE }, Place { table: 8, ..PLACE }];
    for place in elsewhere {
        let parsed = Set::parse(stored.clone(), place, class);
        assert_eq!(parsed.err(), Some(Damage::Foreign));
    }
    let parsed = Set::parse(stored.clone(), PLACE, Class::for_limits(2));
    assert_eq!(parsed.err(), Some(Damage::Torn));
    for length in [0, 1, 8, 23, 24, stored.len() - 1] {
        let parsed = Set::parse(stored[..length].to_vec(), PLACE, class);
        assert_eq!(parsed.err(), Some(Damage::Torn), "{length}");
    }
}

#[test]
fn the_stamp_never_goes_back() {
    let mut set = filled(&[]);
    let _ = set.seal(Instant(10));
    let _ = set.seal(Instant(5));
    assert_eq!(set.written_at(), Instant(10));
}

#[test]
fn a_newcomer_takes_an_empty_way_then_one_that_owes_nothing() {
    let mut entries: Vec<(u64, u16, u32)> = (1..=7).map(|key| (key, 1, 5)).collect();
    assert_eq!(displaced(&entries, 1), (None, Evicted::Nothing));
    entries.push((8, 2, 0));
    assert_eq!(displaced(&entries, 1), (Some(8), Evicted::Free));
}

#[test]
fn of_those_who_owe_the_least_harmed_goes() {
    let owed = [5, 4, 9, 2, 7, 3, 10, 8];
    let entries: Vec<(u64, u16, u32)> = (1..).zip(owed).map(|(key, owed)| (key, 1, owed)).collect();
    assert_eq!(displaced(&entries, 1), (Some(4), Evicted::Indebted));
}

#[test]
fn a_rule_that_floods_pays_for_itself() {
    // Rule 2 owes less per key, but rule 1 holds most of the ways.
    let mut entries: Vec<(u64, u16, u32)> = (1..=6).map(|key| (key, 1, 10)).collect();
    entries.extend([(7, 2, 1), (8, 2, 1)]);
    let (gone, evicted) = displaced(&entries, 1);
    assert!(gone < Some(7) && evicted == Evicted::Indebted);
    // On a tie the newcomer's rule pays.
    let even: Vec<(u64, u16, u32)> = (1..=8).map(|key| (key, 1 + (key % 2) as u16, 5)).collect();
    assert_eq!(displaced(&even, 1).0.unwrap() % 2, 0);
    assert_eq!(displaced(&even, 2).0.unwrap() % 2, 1);
}

#[test]
fn an_entry_is_written_over_in_its_own_way() {
    let entries: Vec<(u64, u16, u32)> = (1..=8).map(|key| (key, 1, 5)).collect();
    let mut set = filled(&entries);
    assert_eq!(set.place(4, 1, owing(6), now()), Evicted::Nothing);
    assert_eq!(set.find(4).unwrap().next(), owing(6).next());
    assert_eq!(set.live(now()), 8);
    let later = Now {
        monotonic: now().monotonic.plus(Nanos(550_000_000)),
        ..now()
    };
    assert_eq!(set.live(later), 1);
}
