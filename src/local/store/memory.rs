//! Shared data for tests: in memory, in either dialect, and as unkind as asked.

use std::collections::HashMap;

use super::{Dialect, Fault, SharedData, Swap};

/// The shared data of one proxy.
#[derive(Debug)]
pub struct Memory {
    dialect: Dialect,
    /// Each value and its number.
    pub values: HashMap<Vec<u8>, (Vec<u8>, u32)>,
    /// Reads so far.
    pub reads: u32,
    /// Writes so far, lost ones too.
    pub writes: u32,
    /// How many of the next writes lose.
    pub losing: u32,
    /// What reads of keys that contain this byte fail with.
    pub failing: Option<(u8, Fault)>,
}

impl Memory {
    /// Empty, and kind.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            values: HashMap::new(),
            reads: 0,
            writes: 0,
            losing: 0,
            failing: None,
        }
    }
}

impl SharedData for Memory {
    fn get(&mut self, key: &[u8]) -> Result<Option<(Vec<u8>, u32)>, Fault> {
        self.reads += 1;
        match self.failing {
            Some((end, fault)) if key.contains(&end) => Err(fault),
            _ => Ok(self.values.get(key).cloned()),
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<Swap, Fault> {
        self.writes += 1;
        if self.losing > 0 {
            self.losing -= 1;
            return Ok(Swap::Lost);
        }
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
        self.values
            .insert(key.to_vec(), (value.to_vec(), self.writes));
        Ok(Swap::Done)
    }
}
