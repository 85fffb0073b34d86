//! What stays the same throughout a search: the host, the counters, the requests.

use weir::local::cell::Cell;
use weir::local::limit::{Adopted, Limit};
use weir::local::set::{Class, Set};
use weir::local::store::Dialect;
use weir::local::table::Table;
use weir::local::transaction::{Demand, Entry};
use weir::units::Nanos;

use crate::world::at;

/// Fingerprints of entries that are there before anything happens.
pub const OTHERS: std::ops::Range<u64> = 1_000..1_008;

/// A key of the table, and the limits it is under.
#[derive(Debug)]
pub struct Counter {
    pub table: Table,
    pub fingerprint: u64,
    pub rule: u16,
    pub limits: Vec<Limit>,
}

/// What stays the same throughout a search.
#[derive(Debug)]
pub struct World {
    pub dialect: Dialect,
    pub counters: Vec<Counter>,
    /// Whether a read sees one half of a value before and the other after other workers' calls.
    pub torn: bool,
    /// Whether a key is looked up by its slot alone, so that two tables' keys are the same entry.
    pub aliased: bool,
    /// Whether a compare-and-swap always swaps: what must be found out.
    pub lawless: bool,
    /// What is stored before anything happens.
    pub stored: Vec<(Vec<u8>, Vec<u8>)>,
}

/// One request.
#[derive(Clone, Debug, Hash)]
pub struct Operation {
    /// The counters it is charged to, by index.
    pub counters: Vec<usize>,
    /// How much later than the others its worker's clock was read, in nanoseconds.
    pub late: u64,
}

impl Counter {
    pub fn class(&self) -> Class {
        Class::for_limits(self.limits.len())
    }

    pub fn entry(&self) -> Entry<'_> {
        let demand = Demand {
            limits: &self.limits,
            tag: self.rule,
            fingerprint: self.fingerprint,
            cost: 1,
            deny_on_fault: false,
        };
        Entry::new(demand, &self.table)
    }

    /// Its set's key and value when the others are all there and owe everything.
    pub fn filled_set(&self) -> (Vec<u8>, Vec<u8>) {
        let now = at(Nanos(0));
        let place = self.table.place(self.class(), self.fingerprint);
        let mut set = Set::empty(place, self.class());
        let full = |limit: &Limit| limit.charge(limit.fresh(), now, limit.capacity());
        let cells: Vec<Cell> = self
            .limits
            .iter()
            .flat_map(full)
            .map(Adopted::cell)
            .collect();
        for other in OTHERS {
            let _ = set.place(other, self.rule, cells.iter().copied(), now);
        }
        (self.key(), set.seal(now.monotonic).to_vec())
    }

    /// Key of its set in the shared data.
    pub fn key(&self) -> Vec<u8> {
        let place = self.table.place(self.class(), self.fingerprint);
        let numbers = [place.table.to_le_bytes(), place.slot.to_le_bytes()];
        [b"w1".as_slice(), numbers.as_flattened()].concat()
    }
}

impl World {
    /// The entry that a key finds.
    pub fn entry(&self, key: &[u8]) -> Vec<u8> {
        let slot = if self.aliased { 6 } else { 0 };
        key[slot..].to_vec()
    }
}

/// How much a limit has counted. A second later, for a give-back among clocks that are apart loses the time
/// between them; no request is refilled in a second.
pub fn counted(limit: &Limit, cell: Cell) -> u32 {
    let then = at(Nanos::SECOND);
    limit.capacity() - limit.quota(limit.adopt(cell, then.monotonic), then).0
}
