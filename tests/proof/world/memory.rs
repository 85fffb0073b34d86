//! Shared data in memory, as either host compares and swaps it.

use std::collections::HashMap;

use weir::local::store::{Dialect, Fault, SharedData, Swap};

/// The shared data of one proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    dialect: Dialect,
    values: HashMap<Vec<u8>, (Vec<u8>, u32)>,
    /// Envoy numbers all writes with one counter.
    writes: u32,
}

impl Memory {
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            values: HashMap::new(),
            writes: 0,
        }
    }

    /// Keys that were ever written.
    pub fn len(&self) -> usize {
        self.values.len()
    }
}

impl SharedData for Memory {
    fn get(&mut self, key: &[u8]) -> Result<Option<(Vec<u8>, u32)>, Fault> {
        Ok(self.values.get(key).cloned())
    }

    fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<Swap, Fault> {
        let found = self.values.get(key).map(|(_, cas)| *cas);
        let wins = match (self.dialect, found) {
            (Dialect::ZeroOverwrites, None) => true,
            (Dialect::ZeroOverwrites, Some(found)) => cas == 0 || cas == found,
            (Dialect::ZeroInserts, None) => cas == 0,
            (Dialect::ZeroInserts, Some(found)) => cas == found,
        };
        if !wins {
            return Ok(Swap::Lost);
        }
        self.writes += 1;
        let number = match self.dialect {
            Dialect::ZeroOverwrites => self.writes,
            Dialect::ZeroInserts => found.unwrap_or(0) + 1,
        };
        match self.values.get_mut(key) {
            Some((stored, cas)) => {
                stored.clear();
                stored.extend_from_slice(value);
                *cas = number;
            }
            None => {
                self.values.insert(key.to_vec(), (value.to_vec(), number));
            }
        }
        Ok(Swap::Done)
    }
}
