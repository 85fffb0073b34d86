//! One request against all its limits: charged everywhere, or nowhere.
//!
//! Every limit of every rule is tested first. Only then is anything charged, the strictest rule first, each
//! by a compare-and-swap of the one value that holds all its limits. If a later one is lost for good, what
//! the earlier ones took is given back. An admitted request was charged first, always.

use super::cell::Cell;
use super::limit::Limit;
use super::set::{Evicted, Set};
use super::store::{Fault, SharedData, Swap};
use super::table::{Loaded, Stats, Table};
use crate::units::Now;

mod entry;

pub use entry::{Demand, Entry, Reading};

use entry::Tested;

/// Compare-and-swaps that may be lost before a request is refused for contention.
///
/// 32 workers on cores of their own that charge one key without a pause lose 19 a request, and 16 in four requests of ten:
/// `tests/proof/contention.rs` simulates it. Each try takes about 15,000 instructions.
pub const MAX_SWAPS: usize = 256;

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Settled {
    /// Every demand was charged, but those without counters.
    Admitted,
    /// A limit refused; nothing is charged.
    Refused,
    /// This demand lost [`MAX_SWAPS`] races; nothing is charged.
    Contended(usize),
    /// This demand has no counters and denies without; nothing is charged.
    Unavailable(usize),
}

/// A table, the data it lives in, and the time: what a transaction works with.
#[derive(Debug)]
pub struct Transaction<'a, D> {
    /// Where the sets are.
    pub table: &'a Table,
    /// What holds them.
    pub data: &'a mut D,
    /// When the request came.
    pub now: Now,
    /// What happened.
    pub stats: &'a mut Stats,
}

impl<D: SharedData> Transaction<'_, D> {
    /// Tests all entries, then charges all of them or none.
    pub fn settle(&mut self, entries: &mut [Entry<'_>]) -> Settled {
        match self.test_all(entries) {
            Some(refused) => refused,
            None => self.charge_all(entries),
        }
    }

    /// Tests all entries and charges none; `None` when nothing refuses.
    pub fn test_all(&mut self, entries: &mut [Entry<'_>]) -> Option<Settled> {
        for (index, entry) in entries.iter_mut().enumerate() {
            match self.test(entry) {
                Ok(loaded) => entry.loaded = Some(loaded),
                Err(fault) => {
                    entry.fail(fault);
                    if entry.demand.deny_on_fault {
                        return Some(Settled::Unavailable(index));
                    }
                }
            }
        }
        if !entries.iter().any(Entry::refuses) {
            return None;
        }
        self.keep_all_adopted(entries);
        Some(Settled::Refused)
    }

    /// Charges all entries, which [`Self::test_all`] has found to fit, or none.
    pub fn charge_all(&mut self, entries: &mut [Entry<'_>]) -> Settled {
        if entries.len() == 1 {
            return self.charge_in_turn(entries, &[0]);
        }
        // A sort would be 5 KB of module for what is seldom more than two.
        let mut order: Vec<(f64, usize)> = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let strictness = entry.strictness(self.now);
            let after = order.partition_point(|(other, _)| *other <= strictness);
            order.insert(after, (strictness, index));
        }
        let order: Vec<usize> = order.into_iter().map(|(_, index)| index).collect();
        self.charge_in_turn(entries, &order)
    }

    fn charge_in_turn(&mut self, entries: &mut [Entry<'_>], order: &[usize]) -> Settled {
        for (turn, index) in order.iter().enumerate() {
            let Some(entry) = entries.get_mut(*index) else {
                continue;
            };
            let failed = match self.charge(entry) {
                Ok(Charge::Done) => continue,
                Ok(Charge::Refused) => Settled::Refused,
                Ok(Charge::Contended) => Settled::Contended(*index),
                Err(fault) => {
                    entry.fail(fault);
                    if !entry.demand.deny_on_fault {
                        continue;
                    }
                    Settled::Unavailable(*index)
                }
            };
            for charged in order.iter().take(turn) {
                let entry = entries.get(*charged);
                if let Some(entry) = entry.filter(|entry| entry.fault.is_none()) {
                    self.give_back(entry);
                }
            }
            if failed == Settled::Refused {
                self.keep_all_adopted(entries);
            }
            return failed;
        }
        Settled::Admitted
    }

    /// Reads an entry's set and asks each limit.
    fn test(&mut self, entry: &mut Entry<'_>) -> Result<Loaded, Fault> {
        let loaded = self
            .table
            .load(self.data, entry.place, entry.class, self.stats)?;
        let Demand {
            limits,
            fingerprint,
            cost,
            ..
        } = entry.demand;
        entry.tested.clear();
        entry.adopted = false;
        let stored = loaded.set.find(fingerprint).into_iter().flatten();
        let own = limits.iter().zip(stored);
        let own = own.map_while(|(limit, cell)| Some((limit, limit.own(cell)?)));
        let test = |(limit, before)| Tested::of(limit, before, self.now, cost);
        entry.tested.extend(own.map(test));
        if entry.tested.len() < limits.len() {
            // A newcomer, or another configuration's.
            entry.tested.clear();
            let from = self.now.monotonic.max(loaded.set.written_at());
            for (limit, stored) in limits.iter().zip(matched(&loaded.set, fingerprint, limits)) {
                let tested = Tested::of(limit, limit.adopt(stored, from), self.now, cost);
                entry.adopted |= tested.wait.is_some() && tested.before.cell() != stored;
                entry.tested.push(tested);
            }
        }
        Ok(loaded)
    }

    /// Charges an entry that was tested; one that loses the race is tested again.
    fn charge(&mut self, entry: &mut Entry<'_>) -> Result<Charge, Fault> {
        let Demand {
            tag, fingerprint, ..
        } = entry.demand;
        if entry.fault.is_some() {
            return Ok(Charge::Done);
        }
        for _ in 0..MAX_SWAPS {
            let mut loaded = match entry.loaded.take() {
                Some(loaded) => loaded,
                None => self.test(entry)?,
            };
            if entry.refuses() {
                return Ok(Charge::Refused);
            }
            let cells = entry.tested.iter().map(|tested| tested.after.cell());
            let evicted = loaded.set.place(fingerprint, tag, cells, self.now);
            match self.table.store(self.data, &mut loaded, self.now)? {
                Swap::Lost => self.stats.retries += 1,
                Swap::Done => {
                    self.stats.count(evicted);
                    return Ok(Charge::Done);
                }
            }
        }
        self.stats.contended += 1;
        Ok(Charge::Contended)
    }

    /// Takes a charge back. What cannot be given back is lost to its client, never minted.
    fn give_back(&mut self, entry: &Entry<'_>) {
        let Demand { limits, cost, .. } = entry.demand;
        let charged_at = self.now.monotonic;
        self.rewrite(entry, &|set, cells| {
            // Others may have charged until the set was last written: nothing later has been counted on.
            let elapsed = set.written_at().since(charged_at);
            for ((limit, tested), cell) in limits.iter().zip(&entry.tested).zip(cells) {
                *cell = limit.give_back(*cell, tested.after, cost, elapsed);
            }
        });
    }

    fn keep_all_adopted(&mut self, entries: &[Entry<'_>]) {
        for entry in entries.iter().filter(|entry| entry.adopted) {
            self.keep_adopted(entry);
        }
    }

    /// Stores a refused entry under its limits as they are now: what they promised counts from there.
    fn keep_adopted(&mut self, entry: &Entry<'_>) {
        let Demand {
            limits,
            fingerprint,
            ..
        } = entry.demand;
        let now = self.now.monotonic;
        self.rewrite(entry, &|set, cells| {
            let from = now.max(set.written_at());
            let stored = matched(set, fingerprint, limits);
            for ((limit, stored), cell) in limits.iter().zip(stored).zip(cells) {
                *cell = limit.adopt(stored, from).cell();
            }
        });
    }

    /// Changes an entry that is still there, unless the store fails or too many others write.
    fn rewrite(&mut self, entry: &Entry<'_>, change: &dyn Fn(&Set, &mut [Cell])) {
        let Demand {
            tag, fingerprint, ..
        } = entry.demand;
        for _ in 0..MAX_SWAPS {
            let loaded = self
                .table
                .load(self.data, entry.place, entry.class, self.stats);
            let Ok(mut loaded) = loaded else { return };
            let Some(cells) = loaded.set.find(fingerprint) else {
                return;
            };
            let mut cells: Vec<Cell> = cells.collect();
            change(&loaded.set, &mut cells);
            loaded
                .set
                .place(fingerprint, tag, cells.into_iter(), self.now);
            match self.table.store(self.data, &mut loaded, self.now) {
                Ok(Swap::Lost) => self.stats.retries += 1,
                Ok(Swap::Done) | Err(_) => return,
            }
        }
    }
}

enum Charge {
    Done,
    Refused,
    Contended,
}

impl Stats {
    const fn count(&mut self, evicted: Evicted) {
        match evicted {
            Evicted::Nothing => {}
            Evicted::Free => self.evicted_free += 1,
            Evicted::Indebted => self.evicted_indebted += 1,
        }
    }
}

/// Each limit's cell among those that are stored, fresh where there is none: one that was written under its
/// own numbers before one that counts alike in its own place, and that before any other that counts alike.
///
/// So a reload that reorders limits, drops or changes one keeps what each of the others has counted.
fn matched(set: &Set, fingerprint: u64, limits: &[Limit]) -> impl Iterator<Item = Cell> {
    let claims: [fn(&Limit, &Cell, bool) -> bool; 3] = [
        |limit, cell, _| limit.own(*cell).is_some(),
        |limit, cell, in_place| in_place && cell.tag == limit.tag(),
        |limit, cell, _| cell.tag == limit.tag(),
    ];
    let mut stored: Vec<Cell> = set.find(fingerprint).into_iter().flatten().collect();
    let mut found = vec![None; limits.len()];
    for claim in claims {
        for (place, (limit, found)) in limits.iter().zip(&mut found).enumerate() {
            let mut unclaimed = stored.iter_mut().enumerate();
            if found.is_none() {
                let claimed = unclaimed.find(|(at, cell)| claim(limit, cell, *at == place));
                *found = claimed.map(|(_, cell)| std::mem::take(cell));
            }
        }
    }
    found.into_iter().map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests;
