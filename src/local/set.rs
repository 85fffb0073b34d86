//! A set of eight entries: one value of the shared data.
//!
//! ```text
//! 0   u64      checksum of all that follows
//! 8   u64      the latest monotonic time at which this set was written
//! 16  u32 u32  table and slot, so that a value says where it belongs
//! 24  8 ×      fingerprint u64, rule u16, cells of 28 bytes each
//! ```
//! All numbers are little-endian. A fingerprint of zero is an empty way.

use super::cell::{CELL_LEN, Cell};
use super::store::checksum;
use crate::units::{Instant, Now};

/// Entries of a set.
pub const WAYS: usize = 8;

const HEADER_LEN: usize = 24;
const ENTRY_HEADER_LEN: usize = 10;

/// How many cells an entry has: 1, 2, 4 or 8. Values of one class have one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class(u8);

impl Class {
    /// The class with room for `limits`, of which there are at most [`super::limit::MAX_LIMITS`].
    #[must_use]
    pub const fn for_limits(limits: usize) -> Self {
        Self(match limits {
            0 | 1 => 0,
            2 => 1,
            3 | 4 => 2,
            _ => 3,
        })
    }

    /// The class as a number from 0 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Cells of an entry.
    #[must_use]
    pub const fn cells(self) -> usize {
        1 << self.0
    }

    const fn entry_len(self) -> usize {
        ENTRY_HEADER_LEN + self.cells() * CELL_LEN
    }

    /// Bytes of a set.
    #[must_use]
    pub const fn set_len(self) -> usize {
        HEADER_LEN + WAYS * self.entry_len()
    }
}

/// Where a set belongs: the table's number and the slot's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the table.
    pub table: u32,
    /// Class and number of the set.
    pub slot: u32,
}

/// A value that is no set of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Length or checksum is off: a torn read, or not ours.
    Torn,
    /// A whole set, of another place.
    Foreign,
}

/// What an insertion forgot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evicted {
    /// Nothing: the way was empty.
    Nothing,
    /// An entry whose buckets were full and whose windows had ended.
    Free,
    /// An entry that still owed: its client gets that back.
    Indebted,
}

/// The cells of one entry, as many as its class has.
#[derive(Clone, Debug)]
pub struct StoredCells<'s>(&'s [u8]);

impl Iterator for StoredCells<'_> {
    type Item = Cell;

    fn next(&mut self) -> Option<Cell> {
        let (cell, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(Cell::decode(cell))
    }
}

/// One set, as read or about to be written.
#[derive(Clone, Debug)]
pub struct Set {
    bytes: Vec<u8>,
    class: Class,
}

impl Set {
    /// A set without entries.
    #[must_use]
    pub fn empty(place: Place, class: Class) -> Self {
        let mut set = Self {
            bytes: vec![0; class.set_len()],
            class,
        };
        set.put(16, place.table.to_le_bytes());
        set.put(20, place.slot.to_le_bytes());
        set
    }

    /// A set from what was stored at `place`.
    ///
    /// # Errors
    /// [`Damage`] when it is not one.
    pub fn parse(bytes: Vec<u8>, place: Place, class: Class) -> Result<Self, Damage> {
        let set = Self { bytes, class };
        if set.bytes.len() < HEADER_LEN || set.u64_at(0) != set.checksum() {
            return Err(Damage::Torn);
        }
        let found = Place {
            table: set.u32_at(16),
            slot: set.u32_at(20),
        };
        if found != place {
            return Err(Damage::Foreign);
        }
        if set.bytes.len() != class.set_len() {
            return Err(Damage::Torn);
        }
        Ok(set)
    }

    /// The latest time at which anybody charged something here.
    #[must_use]
    pub fn written_at(&self) -> Instant {
        Instant(self.u64_at(8))
    }

    /// The cells of the entry with this fingerprint.
    #[must_use]
    pub fn find(&self, fingerprint: u64) -> Option<StoredCells<'_>> {
        self.way_of(fingerprint).map(|way| self.cells(way))
    }

    /// Writes an entry: over the one with its fingerprint, else in place of the one whose loss does the
    /// least harm. Cells that are not given are empty.
    pub fn place(
        &mut self,
        fingerprint: u64,
        rule: u16,
        mut cells: impl Iterator<Item = Cell>,
        now: Now,
    ) -> Evicted {
        let (way, evicted) = match self.way_of(fingerprint) {
            Some(way) => (way, Evicted::Nothing),
            None => self.victim(rule, now),
        };
        let at = self.entry_at(way);
        self.put(at, fingerprint.to_le_bytes());
        self.put(at + 8, rule.to_le_bytes());
        for index in 0..self.class.cells() {
            let cell = cells.next().unwrap_or_default();
            self.put(at + ENTRY_HEADER_LEN + index * CELL_LEN, cell.encode());
        }
        evicted
    }

    /// The value to store: stamped and summed.
    #[must_use]
    pub fn seal(&mut self, now: Instant) -> &[u8] {
        let stamp = self.written_at().max(now);
        self.put(8, stamp.0.to_le_bytes());
        let sum = self.checksum();
        self.put(0, sum.to_le_bytes());
        &self.bytes
    }

    /// How many entries hold something that would be forgiven.
    #[must_use]
    pub fn live(&self, now: Now) -> u32 {
        let indebted = |way: &usize| self.fingerprint(*way) != 0 && self.harm(*way, now) > 0.0;
        let live = (0..WAYS).filter(indebted).count();
        u32::try_from(live).unwrap_or(u32::MAX)
    }

    /// The way to give up for a new entry of `rule`.
    ///
    /// Forgetting an entry gives its client back what it owes. So: an empty way, one that owes nothing, or
    /// else, of the rule that holds the most ways here, the one that owes the smallest share of its limit.
    /// Without the rule's turn, a flood of new keys on one rule would forgive the clients of another.
    fn victim(&self, rule: u16, now: Now) -> (usize, Evicted) {
        let rules: [u16; WAYS] = std::array::from_fn(|way| self.rule(way));
        let mut least = (0, usize::MAX, f64::INFINITY);
        for way in 0..WAYS {
            if self.fingerprint(way) == 0 {
                return (way, Evicted::Nothing);
            }
            let own = self.rule(way);
            let held =
                rules.iter().filter(|other| **other == own).count() + usize::from(own == rule);
            let harm = self.harm(way, now);
            // A free way beats all, then the rule that holds most, then the least harm.
            let rank = if harm > 0.0 { WAYS + 2 - held } else { 0 };
            if (rank, harm) < (least.1, least.2) {
                least = (way, rank, harm);
            }
        }
        let evicted = if least.2 > 0.0 {
            Evicted::Indebted
        } else {
            Evicted::Free
        };
        (least.0, evicted)
    }

    fn harm(&self, way: usize, now: Now) -> f64 {
        self.cells(way)
            .map(|cell| cell.harm(now))
            .fold(0.0, f64::max)
    }

    fn way_of(&self, fingerprint: u64) -> Option<usize> {
        (0..WAYS).find(|way| self.fingerprint(*way) == fingerprint)
    }

    fn cells(&self, way: usize) -> StoredCells<'_> {
        let at = self.entry_at(way) + ENTRY_HEADER_LEN;
        let len = self.class.cells() * CELL_LEN;
        let bytes = self.bytes.get(at..).and_then(|rest| rest.get(..len));
        StoredCells(bytes.unwrap_or_default())
    }

    fn fingerprint(&self, way: usize) -> u64 {
        self.u64_at(self.entry_at(way))
    }

    fn rule(&self, way: usize) -> u16 {
        u16::from_le_bytes(self.array_at(self.entry_at(way) + 8))
    }

    const fn entry_at(&self, way: usize) -> usize {
        HEADER_LEN + way * self.class.entry_len()
    }

    fn checksum(&self) -> u64 {
        checksum(self.bytes.get(8..).unwrap_or_default())
    }

    fn u64_at(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.array_at(at))
    }

    fn u32_at(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.array_at(at))
    }

    /// Every offset is below the length that `empty` made and `parse` checked; zeros otherwise.
    fn array_at<const N: usize>(&self, at: usize) -> [u8; N] {
        self.bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .unwrap_or([0; N])
    }

    fn put<const N: usize>(&mut self, at: usize, value: [u8; N]) {
        if let Some(target) = self
            .bytes
            .get_mut(at..)
            .and_then(|rest| rest.first_chunk_mut())
        {
            *target = value;
        }
    }
}

#[cfg(test)]
mod tests;
