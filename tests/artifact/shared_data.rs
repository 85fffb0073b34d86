//! The hosts' shared data, with the compare-and-swap of each.

use std::collections::HashMap;

use crate::status;

/// Whose compare-and-swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// proxy-wasm-cpp-host: cas 0 overwrites, an absent key takes any other, one counter for all keys.
    Envoy,
    /// ngx_wasm_module: cas 0 inserts, an absent key takes nothing else, a counter per key, and the
    /// identity of a key is its CRC-32.
    Kong,
}

struct Entry {
    key: Vec<u8>,
    value: Vec<u8>,
    cas: u32,
}

/// One namespace of shared data.
pub struct SharedData {
    pub dialect: Dialect,
    /// By identity.
    entries: HashMap<Vec<u8>, Entry>,
    next_cas: u32,
    writes: u64,
}

impl SharedData {
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            entries: HashMap::new(),
            next_cas: 1,
            writes: 0,
        }
    }

    /// The value and its cas.
    pub fn get(&self, key: &[u8]) -> Result<(Vec<u8>, u32), i32> {
        self.entries
            .get(&self.identity(key))
            .map(|entry| (entry.value.clone(), entry.cas))
            .ok_or(status::NOT_FOUND)
    }

    /// Writes, if `cas` allows it.
    pub fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<(), i32> {
        let identity = self.identity(key);
        let held = self.entries.get(&identity).map(|entry| entry.cas);
        let allowed = match (self.dialect, held) {
            (Dialect::Envoy, Some(held)) => cas == 0 || cas == held,
            (Dialect::Envoy, None) => true,
            (Dialect::Kong, Some(held)) => cas == held,
            (Dialect::Kong, None) => cas == 0,
        };
        if !allowed {
            return Err(status::CAS_MISMATCH);
        }
        let new = match self.dialect {
            Dialect::Envoy => self.next_cas,
            Dialect::Kong => held.unwrap_or(0) + 1,
        };
        self.next_cas += 1;
        self.writes += 1;
        let entry = Entry {
            key: key.to_vec(),
            value: value.to_vec(),
            cas: new,
        };
        self.entries.insert(identity, entry);
        Ok(())
    }

    /// Overwrites every value with what `garble` makes of it, as another plugin would.
    pub fn garble(&mut self, mut garble: impl FnMut(&[u8], &mut Vec<u8>)) {
        let mut entries: Vec<_> = self.entries.values_mut().collect();
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        for entry in entries {
            entry.cas = self.next_cas;
            self.next_cas += 1;
            garble(&entry.key, &mut entry.value);
        }
    }

    /// Every key and its value, in the order of the keys.
    pub fn entries(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let pair = |entry: &Entry| (entry.key.clone(), entry.value.clone());
        let mut entries: Vec<_> = self.entries.values().map(pair).collect();
        entries.sort();
        entries
    }

    /// Forgets every key, as Kong's eviction does.
    pub fn forget(&mut self) {
        self.entries.clear();
    }

    /// Values written so far, by the module.
    pub fn writes(&self) -> u64 {
        self.writes
    }

    fn identity(&self, key: &[u8]) -> Vec<u8> {
        match self.dialect {
            Dialect::Envoy => key.to_vec(),
            Dialect::Kong => crc32(key).to_be_bytes().to_vec(),
        }
    }
}

/// The CRC-32 of nginx (IEEE 802.3, reflected).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1))
        })
    })
}

#[test]
fn envoy_overwrites_with_0_and_inserts_with_anything() {
    let mut data = SharedData::new(Dialect::Envoy);
    assert_eq!(data.set(b"a", b"1", 0xffff_ffff), Ok(()));
    assert_eq!(data.set(b"a", b"2", 0xffff_ffff), Err(status::CAS_MISMATCH));
    let (_, cas) = data.get(b"a").unwrap();
    assert_eq!(data.set(b"b", b"1", 99), Ok(()));
    assert_eq!(data.set(b"a", b"3", cas), Ok(()));
    assert_eq!(data.set(b"a", b"4", cas), Err(status::CAS_MISMATCH));
    assert_eq!(data.set(b"a", b"5", 0), Ok(()));
    assert_eq!(data.get(b"a").unwrap().0, b"5");
}

#[test]
fn kong_inserts_with_0_and_only_so() {
    let mut data = SharedData::new(Dialect::Kong);
    assert_eq!(data.set(b"a", b"1", 7), Err(status::CAS_MISMATCH));
    assert_eq!(data.set(b"a", b"1", 0), Ok(()));
    assert_eq!(data.set(b"a", b"2", 0), Err(status::CAS_MISMATCH));
    assert_eq!(data.get(b"a"), Ok((b"1".to_vec(), 1)));
    assert_eq!(data.set(b"a", b"2", 1), Ok(()));
    assert_eq!(data.get(b"a"), Ok((b"2".to_vec(), 2)));
    assert_eq!(data.get(b"b"), Err(status::NOT_FOUND));
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}
