use super::memory::Memory;
use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const BOTH: [Dialect; 2] = [Dialect::ZeroOverwrites, Dialect::ZeroInserts];

#[test]
fn the_first_founds_and_the_others_join() {
    for dialect in BOTH {
        let mut data = Memory::new(dialect);
        let first = Founding::join(&mut data, [1; 16]).unwrap();
        assert_eq!((first.dialect, first.seed), (dialect, [1; 16]));
        assert_eq!(Founding::join(&mut data, [2; 16]), Ok(first));
    }
}

/// Shared data in which another worker founds just before this one's first write.
struct Raced(Memory, Option<Founding>);

impl SharedData for Raced {
    fn get(&mut self, key: &[u8]) -> Result<Option<(Vec<u8>, u32)>, Fault> {
        self.0.get(key)
    }

    fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<Swap, Fault> {
        if let Some(other) = self.1.take() {
            let inserted = self.0.set(key, &other.encode(), other.dialect.insert())?;
            assert_eq!(inserted, Swap::Done);
        }
        self.0.set(key, value, cas)
    }
}

#[test]
fn who_loses_the_race_takes_the_winners_seed() {
    for dialect in BOTH {
        let seed = [9; 16];
        let other = Founding { dialect, seed };
        let mut data = Raced(Memory::new(dialect), Some(other));
        assert_eq!(Founding::join(&mut data, [1; 16]), Ok(other));
    }
}

#[test]
fn what_is_no_founding_is_anothers() {
    for found in [&b""[..], b"o", b"x0123456789abcdef", b"o0123456789abcdef+"] {
        let mut data = Memory::new(Dialect::ZeroOverwrites);
        data.values
            .insert(FOUNDING_KEY.to_vec(), (found.to_vec(), 1));
        assert_eq!(Founding::join(&mut data, [1; 16]), Err(Fault::Foreign));
    }
}

#[test]
fn a_host_that_never_inserts_is_a_fault_not_a_loop() {
    let mut data = Memory::new(Dialect::ZeroOverwrites);
    data.losing = u32::MAX;
    assert_eq!(Founding::join(&mut data, [1; 16]), Err(Fault::Foreign));
    data.failing = Some((b'w', Fault::Host(2)));
    assert_eq!(Founding::join(&mut data, [1; 16]), Err(Fault::Host(2)));
}

#[test]
fn a_sum_depends_on_length_order_and_every_byte() {
    let sums = [
        checksum(b""),
        checksum(b"\0"),
        checksum(b"\0\0\0\0\0\0\0\0"),
        checksum(b"\0\0\0\0\0\0\0\0\0"),
        checksum(b"abcdefgh12345678"),
        checksum(b"12345678abcdefgh"),
        checksum(b"abcdefgh12345679"),
    ];
    for (index, sum) in sums.iter().enumerate() {
        assert!(!sums[..index].contains(sum), "{index}");
    }
}
