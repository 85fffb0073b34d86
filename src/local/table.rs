//! The table: a fixed number of sets in shared data, found by fingerprint.
//!
//! Shared data cannot forget, so it never holds a key per client: `max_keys` entries a class, whatever
//! comes.

use super::set::{Class, Damage, Place, Set, WAYS};
use super::store::{Dialect, Fault, SharedData, Swap, namespace, upper_half};
use crate::units::Now;

/// How often a value that fails its checksum is read again before it is taken for broken: on Kong's host a
/// read may see half of a concurrent write.
const TORN_READS: usize = 3;

/// What happened in the store, for its metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Compare-and-swaps that lost, and were tried again.
    pub retries: u32,
    /// Requests that lost too many of them, and were refused.
    pub contended: u32,
    /// Entries forgotten for newcomers that owed nothing any more.
    pub evicted_free: u32,
    /// Entries forgotten that still owed: their clients were forgiven.
    pub evicted_indebted: u32,
    /// Sets that were broken and begun anew.
    pub corrupt: u32,
}

/// The tables of one domain, one for each class.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    number: u32,
    sets: u32,
    dialect: Dialect,
}

/// A set as it was read, and what is needed to write it.
#[derive(Debug)]
pub struct Loaded {
    /// The entries.
    pub set: Set,
    place: Place,
    cas: u32,
}

impl Table {
    /// The tables of `domain` with `max_keys` entries each; filters share one if they agree in both.
    #[must_use]
    pub fn new(domain: &str, max_keys: u32, dialect: Dialect) -> Self {
        let ways = u32::try_from(WAYS).unwrap_or(u32::MAX);
        Self {
            number: namespace(domain, max_keys),
            sets: (max_keys / ways).max(1),
            dialect,
        }
    }

    /// Sets of each class: a power of two.
    #[must_use]
    pub const fn sets(&self) -> u32 {
        self.sets
    }

    /// Where the set of a fingerprint is kept.
    #[must_use]
    pub fn place(&self, class: Class, fingerprint: u64) -> Place {
        let set = upper_half(fingerprint) & (self.sets - 1);
        self.place_of_set(class, set)
    }

    /// Where set number `set` is kept.
    #[must_use]
    pub fn place_of_set(&self, class: Class, set: u32) -> Place {
        Place {
            table: self.number,
            slot: u32::from(class.number()) << 30 | set,
        }
    }

    /// Reads a set; one that nobody has written yet is empty.
    ///
    /// # Errors
    /// [`Fault`] when the shared data cannot be read, or holds somebody else's set there.
    pub fn load(
        &self,
        data: &mut impl SharedData,
        place: Place,
        class: Class,
        stats: &mut Stats,
    ) -> Result<Loaded, Fault> {
        let fresh = |cas| Loaded {
            set: Set::empty(place, class),
            place,
            cas,
        };
        let mut broken = None;
        for _ in 0..=TORN_READS {
            let Some((bytes, cas)) = data.get(&key(place))? else {
                return Ok(fresh(self.dialect.insert()));
            };
            match Set::parse(bytes, place, class) {
                Ok(set) => return Ok(Loaded { set, place, cas }),
                Err(Damage::Foreign) => return Err(Fault::Foreign),
                Err(Damage::Torn) => broken = Some(cas),
            }
        }
        stats.corrupt += 1;
        Ok(fresh(broken.unwrap_or(self.dialect.insert())))
    }

    /// Writes a set back, if nobody has since it was read.
    ///
    /// # Errors
    /// [`Fault`] when the shared data cannot be written.
    pub fn store(
        &self,
        data: &mut impl SharedData,
        loaded: &mut Loaded,
        now: Now,
    ) -> Result<Swap, Fault> {
        data.set(
            &key(loaded.place),
            loaded.set.seal(now.monotonic),
            loaded.cas,
        )
    }
}

/// `w`, the format's version, the table and the slot.
///
/// Within one table only the last four bytes vary, over which CRC-32 is injective: Kong's host looks keys up
/// by their CRC alone. Ten bytes fit into the string object itself on Envoy.
fn key(place: Place) -> [u8; 10] {
    let [t0, t1, t2, t3] = place.table.to_le_bytes();
    let [s0, s1, s2, s3] = place.slot.to_le_bytes();
    [b'w', b'1', t0, t1, t2, t3, s0, s1, s2, s3]
}

#[cfg(test)]
mod tests;
