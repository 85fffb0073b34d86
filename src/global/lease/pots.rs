//! Where a proxy keeps its pots: a fixed number of places in shared data, found by fingerprint.
//!
//! Four pots are one value. Each has a sum of its own, so one that is broken is only that one, and reading a pot
//! costs no more than itself. A newcomer takes the place whose loss does the least harm: what is forgotten of a
//! lease lapses, and admits nothing.

use super::pot::{POT_LEN, Pot};
use crate::local::store::{Dialect, Fault, SharedData, Swap, namespace, upper_half};
use crate::local::transaction::MAX_SWAPS;
use crate::units::Instant;

/// Pots of one value.
const WAYS: usize = 4;

const SET_LEN: usize = WAYS * POT_LEN;

/// The pots of one domain.
#[derive(Clone, Copy, Debug)]
pub struct Pots {
    number: u32,
    sets: u32,
    dialect: Dialect,
}

/// What happened to pots, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Compare-and-swaps that lost, and were tried again.
    pub retries: u32,
    /// Granted.
    pub leased: u32,
    /// Of what was granted, what is of no use any more: its window ended, or its pot was forgotten for another.
    pub lapsed: u32,
}

/// A pot as it was read, and what is needed to write it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The pot, without what has ended.
    pub pot: Pot,
    fingerprint: u64,
    /// As many tokens had ended.
    lapsed: u32,
    bytes: Vec<u8>,
    cas: u32,
    /// Where it is among the pots of its value; `None` for a newcomer.
    way: Option<usize>,
}

impl Pots {
    /// The pots of `domain`, as many as its tables have keys.
    #[must_use]
    pub fn new(domain: &str, max_keys: u32, dialect: Dialect) -> Self {
        let ways = u32::try_from(WAYS).unwrap_or(u32::MAX);
        Self {
            number: namespace(domain, max_keys),
            sets: (max_keys / ways).max(1),
            dialect,
        }
    }

    /// Reads a pot; one that nobody has written yet, or that is broken, is empty.
    ///
    /// # Errors
    /// [`Fault`] when the shared data cannot be read.
    pub fn load(
        &self,
        data: &mut impl SharedData,
        fingerprint: u64,
        now: Instant,
    ) -> Result<Loaded, Fault> {
        let (bytes, cas) = match data.get(&self.key(fingerprint))? {
            Some((bytes, cas)) if bytes.len() == SET_LEN => (bytes, cas),
            Some((_, cas)) => (vec![0; SET_LEN], cas),
            None => (vec![0; SET_LEN], self.dialect.insert()),
        };
        let (ways, _) = bytes.as_chunks();
        let way = ways
            .iter()
            .position(|way| Pot::fingerprint(way) == fingerprint);
        let stored = way.and_then(|way| Pot::decode(ways.get(way)?, fingerprint));
        let mut pot = stored.unwrap_or_default();
        Ok(Loaded {
            lapsed: pot.lapse(now),
            pot,
            fingerprint,
            bytes,
            cas,
            way,
        })
    }

    /// Writes a pot back, if nobody has written since it was read.
    ///
    /// # Errors
    /// [`Fault`] when the shared data cannot be written.
    pub fn store(
        &self,
        data: &mut impl SharedData,
        loaded: &mut Loaded,
        now: Instant,
        stats: &mut Stats,
    ) -> Result<Swap, Fault> {
        let (ways, _) = loaded.bytes.as_chunks_mut();
        let (way, forgotten) = match loaded.way {
            Some(way) => (way, 0),
            None => least_harm(ways, now),
        };
        if let Some(place) = ways.get_mut(way) {
            *place = loaded.pot.encode(loaded.fingerprint);
        }
        let swap = data.set(&self.key(loaded.fingerprint), &loaded.bytes, loaded.cas)?;
        match swap {
            Swap::Done => {
                let lapsed = loaded.lapsed.saturating_add(forgotten);
                stats.lapsed = stats.lapsed.saturating_add(lapsed);
            }
            Swap::Lost => stats.retries = stats.retries.saturating_add(1),
        }
        Ok(swap)
    }

    /// Reads a pot, changes it and writes it, however often others come between; `None` when too many did.
    ///
    /// # Errors
    /// [`Fault`] when the shared data cannot be used.
    pub fn change<T>(
        &self,
        data: &mut impl SharedData,
        fingerprint: u64,
        now: Instant,
        stats: &mut Stats,
        mut change: impl FnMut(&mut Pot) -> T,
    ) -> Result<Option<T>, Fault> {
        let mut told = None;
        let mut change = |pot: &mut Pot| told = Some(change(pot));
        let is_changed = self.rewrite(data, fingerprint, now, stats, &mut change)?;
        Ok(told.filter(|_| is_changed))
    }

    /// [`Self::change`], once for all that is changed.
    fn rewrite(
        &self,
        data: &mut impl SharedData,
        fingerprint: u64,
        now: Instant,
        stats: &mut Stats,
        change: &mut dyn FnMut(&mut Pot),
    ) -> Result<bool, Fault> {
        for _ in 0..MAX_SWAPS {
            let mut loaded = self.load(data, fingerprint, now)?;
            let before = loaded.pot;
            change(&mut loaded.pot);
            if loaded.pot == before || self.store(data, &mut loaded, now, stats)? == Swap::Done {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is in hand: an estimate from up to `sets` values, beginning anywhere at `first`; exact when that covers all.
    pub fn in_hand(&self, data: &mut impl SharedData, now: Instant, first: u32, sets: u32) -> u64 {
        let looked_at = sets.min(self.sets);
        let mut tokens = 0_u64;
        for step in 0..looked_at {
            let set = first.wrapping_add(step) % self.sets.max(1);
            let Ok(Some((bytes, _))) = data.get(&self.key_of_set(set)) else {
                continue;
            };
            for way in bytes.as_chunks().0 {
                if let Some(mut pot) = Pot::decode(way, Pot::fingerprint(way)) {
                    pot.lapse(now);
                    tokens += u64::from(pot.tokens());
                }
            }
        }
        tokens * u64::from(self.sets) / u64::from(looked_at.max(1))
    }

    fn key(&self, fingerprint: u64) -> [u8; 10] {
        self.key_of_set(upper_half(fingerprint) % self.sets.max(1))
    }

    /// `p`, the format's version, the table and the place.
    fn key_of_set(&self, set: u32) -> [u8; 10] {
        let [t0, t1, t2, t3] = self.number.to_le_bytes();
        let [s0, s1, s2, s3] = set.to_le_bytes();
        [b'p', b'2', t0, t1, t2, t3, s0, s1, s2, s3]
    }
}

/// The place for a newcomer, and how many tokens are forgotten with whoever has it.
fn least_harm(ways: &[[u8; POT_LEN]], now: Instant) -> (usize, u32) {
    let standing = ways.iter().enumerate().map(|(way, bytes)| {
        let stored = Pot::decode(bytes, Pot::fingerprint(bytes));
        let Some(mut pot) = stored else {
            return (way, 0, None);
        };
        let lapsed = pot.lapse(now);
        (
            way,
            lapsed.saturating_add(pot.tokens()),
            Some(pot.harm(now)),
        )
    });
    let least = standing.min_by_key(|(_, _, harm)| *harm);
    least.map_or((0, 0), |(way, tokens, _)| (way, tokens))
}

#[cfg(test)]
mod tests;
