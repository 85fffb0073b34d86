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

/// One namespace of shared data.
pub struct SharedData {
    pub dialect: Dialect,
    entries: HashMap<Vec<u8>, (Vec<u8>, u32)>,
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
            .cloned()
            .ok_or(status::NOT_FOUND)
    }

    /// Writes, if `cas` allows it.
    pub fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<(), i32> {
        let identity = self.identity(key);
        let held = self.entries.get(&identity).map(|&(_, held)| held);
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
        self.entries.insert(identity, (value.to_vec(), new));
        Ok(())
    }

    /// Overwrites every value with what `garble` makes of it, as another plugin or a torn read would.
    pub fn garble(&mut self, mut garble: impl FnMut(&[u8], &mut Vec<u8>)) {
        let mut keys: Vec<_> = self.entries.keys().cloned().collect();
        keys.sort();
        for key in keys {
            let (value, cas) = self.entries.get_mut(&key).unwrap();
            *cas = self.next_cas;
            self.next_cas += 1;
            garble(&key, value);
        }
    }

    /// Forgets every key, as Kong's eviction does.
    pub fn forget(&mut self) {
        self.entries.clear();
    }

    /// Values written so far, by the module.
    pub fn writes(&self) -> u64 {
        self.writes
    }

    pub fn len(&self) -> usize {
        self.entries.len()
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
