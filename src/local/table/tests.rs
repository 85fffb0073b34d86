use super::*;
use crate::local::store::memory::Memory;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const BOTH: [Dialect; 2] = [Dialect::ZeroOverwrites, Dialect::ZeroInserts];

fn class() -> Class {
    Class::for_limits(1)
}

/// Loads and stores the set of fingerprint 1; whether it was written.
fn write(table: &Table, data: &mut Memory, stats: &mut Stats) -> Result<Swap, Fault> {
    let place = table.place(class(), 1);
    let mut loaded = table.load(data, place, class(), stats)?;
    let _ = loaded.set.place(1, 1, std::iter::empty(), Now::default());
    table.store(data, &mut loaded, Now::default())
}

#[test]
fn every_key_has_its_place_and_tables_do_not_meet() {
    let table = Table::new("d", 1_024, Dialect::ZeroOverwrites);
    assert_eq!(table.sets(), 128);
    let mut slots: Vec<u32> = Vec::new();
    for limits in [1, 2, 4, 8] {
        let class = Class::for_limits(limits);
        for set in 0..table.sets() {
            let place = table.place(class, u64::from(set) << 32 | 0xffff_ffff);
            assert_eq!(place, table.place_of_set(class, set));
            assert!(!slots.contains(&place.slot));
            slots.push(place.slot);
        }
    }
    let place =
        |domain, max_keys| Table::new(domain, max_keys, Dialect::ZeroInserts).place(class(), 0);
    assert_ne!(place("d", 1_024).table, place("e", 1_024).table);
    assert_ne!(place("d", 1_024).table, place("d", 2_048).table);
    assert_eq!(place("d", 1_024), table.place(class(), 0));
}

#[test]
fn a_set_that_nobody_wrote_is_inserted_only_once() {
    for dialect in BOTH {
        let table = Table::new("d", 1_024, dialect);
        let (mut data, mut stats) = (Memory::new(dialect), Stats::default());
        let place = table.place(class(), 1);
        let mut early = table.load(&mut data, place, class(), &mut stats).unwrap();
        assert_eq!(write(&table, &mut data, &mut stats), Ok(Swap::Done));
        let late = table.store(&mut data, &mut early, Now::default());
        assert_eq!(late, Ok(Swap::Lost));
        assert_eq!(write(&table, &mut data, &mut stats), Ok(Swap::Done));
        assert_eq!(stats, Stats::default());
        assert_eq!(data.values.len(), 1);
        assert!(data.values.keys().all(|key| key.len() == 10));
    }
}

#[test]
fn a_broken_set_is_read_again_and_then_begun_anew() {
    for dialect in BOTH {
        let table = Table::new("d", 1_024, dialect);
        let (mut data, mut stats) = (Memory::new(dialect), Stats::default());
        assert_eq!(write(&table, &mut data, &mut stats), Ok(Swap::Done));
        for (bytes, _) in data.values.values_mut() {
            bytes[40] ^= 1;
        }
        data.reads = 0;
        assert_eq!(write(&table, &mut data, &mut stats), Ok(Swap::Done));
        assert_eq!(data.reads, 1 + u32::try_from(TORN_READS).unwrap());
        assert_eq!(stats.corrupt, 1);
        // An empty value is what Envoy leaves of a removed one.
        for (bytes, _) in data.values.values_mut() {
            bytes.clear();
        }
        assert_eq!(write(&table, &mut data, &mut stats), Ok(Swap::Done));
        assert_eq!(write(&table, &mut data, &mut stats), Ok(Swap::Done));
        assert_eq!(stats.corrupt, 2);
    }
}

#[test]
fn anothers_set_is_left_alone() {
    let dialect = Dialect::ZeroInserts;
    let (ours, theirs) = (
        Table::new("d", 1_024, dialect),
        Table::new("e", 1_024, dialect),
    );
    let (mut data, mut stats) = (Memory::new(dialect), Stats::default());
    assert_eq!(write(&theirs, &mut data, &mut stats), Ok(Swap::Done));
    // As if both keys had one CRC.
    let value = data.values.values().next().cloned().unwrap();
    data.values
        .insert(key(ours.place(class(), 1)).to_vec(), value);
    let before = data.values.clone();
    assert_eq!(write(&ours, &mut data, &mut stats), Err(Fault::Foreign));
    assert_eq!(data.values, before);
}

#[test]
fn a_host_that_fails_is_told() {
    let table = Table::new("d", 1_024, Dialect::ZeroOverwrites);
    let mut data = Memory::new(Dialect::ZeroOverwrites);
    data.failing = Some((b'w', Fault::Host(10)));
    let written = write(&table, &mut data, &mut Stats::default());
    assert_eq!(written, Err(Fault::Host(10)));
}
