//! Shared data in which other workers' requests come between a worker's calls, and which may fail.

use weir::local::store::{Fault, SharedData, Swap};

use super::{Course, Record, Worker};
use crate::world::chance::Chance;
use crate::world::memory::Memory;

/// Shares of calls that fail.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    pub reads: f64,
    /// Every second one fails after it has written.
    pub writes: f64,
}

impl Faults {
    pub const NONE: Self = Self {
        reads: 0.0,
        writes: 0.0,
    };
}

/// The store as one request sees it.
pub struct Crossing<'w> {
    pub data: &'w mut Memory,
    pub others: &'w mut Vec<Worker>,
    pub chance: &'w mut Chance,
    pub course: Course,
    pub time: u64,
    /// What came of the requests that came between.
    pub crossed: Vec<Record>,
}

impl Crossing<'_> {
    /// Lets another worker run a whole request, or several that cross each other.
    fn cross(&mut self) {
        if self.chance.share() >= self.course.crossings {
            return;
        }
        let Some(mut other) = self.others.pop() else {
            return;
        };
        let client = 1 + self.chance.below(3);
        let mut record = Record::default();
        let mut inner = Crossing {
            data: self.data,
            others: self.others,
            chance: self.chance,
            course: self.course,
            time: self.time,
            crossed: Vec::new(),
        };
        other.request(self.time, client, &mut inner, &mut record);
        self.crossed.append(&mut inner.crossed);
        self.crossed.push(record);
        self.others.push(other);
    }
}

impl SharedData for Crossing<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<(Vec<u8>, u32)>, Fault> {
        self.cross();
        if self.chance.share() < self.course.faults.reads {
            return Err(Fault::Host(2));
        }
        self.data.get(key)
    }

    fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<Swap, Fault> {
        self.cross();
        let cas = match self.data.get(key)? {
            Some((_, current)) if self.course.lawless => current,
            _ => cas,
        };
        if self.chance.share() < self.course.faults.writes {
            if self.chance.below(2) == 0 {
                let _ = self.data.set(key, value, cas);
            }
            return Err(Fault::Host(2));
        }
        self.data.set(key, value, cas)
    }
}
