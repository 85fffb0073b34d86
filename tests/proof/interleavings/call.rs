//! The shared data as one step of one worker sees it, and what it makes known.

use std::rc::Rc;

use weir::local::store::{Dialect, Fault, SharedData, Swap, checksum};
use weir::local::table::Stats;
use weir::local::transaction::{MAX_SWAPS, Settled};

use super::replay::State;
use super::world::{OTHERS, Operation, World, counted};

/// What a call fails with that a worker has not got to yet.
const NOT_YET: Fault = Fault::Host(-1);

/// A value of the shared data, and its number.
#[derive(Clone, Debug)]
pub struct Value {
    pub bytes: Rc<[u8]>,
    pub digest: u64,
    pub number: u32,
}

/// What the host answered.
#[derive(Clone, Debug)]
pub enum Answer {
    Absent,
    /// The entry and what it held.
    Found(Vec<u8>, Value),
    Swap(bool),
}

impl Value {
    pub fn new(bytes: &[u8], number: u32) -> Self {
        Self {
            bytes: bytes.into(),
            digest: checksum(bytes),
            number,
        }
    }
}

/// What has come of the operations done.
#[derive(Clone, Debug, Default, Hash)]
pub struct Ledger {
    /// By counter: requests admitted and charged.
    pub charged: Vec<u32>,
    /// By counter: what was counted in entries when they were forgotten.
    pub forgiven: Vec<u32>,
    pub refused: u32,
    pub contended: u32,
    pub uncharged: u32,
    pub given_back: bool,
    pub retried: bool,
    /// Entries that owed and were forgotten, as seen in the shared data.
    pub evicted: u32,
    /// And as the operations tell.
    pub told_evicted: u32,
    pub corrupt: bool,
}

impl Ledger {
    /// Requests admitted, each counted by every counter.
    pub fn charged(&self) -> u32 {
        self.charged.iter().sum()
    }

    pub fn close(
        &mut self,
        operation: &Operation,
        settled: Settled,
        faults: &[bool],
        stats: Stats,
    ) {
        for (counter, fault) in operation.counters.iter().zip(faults) {
            match settled {
                Settled::Admitted if *fault => self.uncharged += 1,
                Settled::Admitted => self.charged[*counter] += 1,
                _ => {}
            }
        }
        self.refused += u32::from(settled == Settled::Refused);
        self.contended += u32::from(matches!(settled, Settled::Contended(_)));
        self.retried |= stats.retries > 0;
        self.told_evicted += stats.evicted_indebted;
        self.corrupt |= stats.corrupt > 0;
        let most = MAX_SWAPS * 2 * operation.counters.len();
        assert!(stats.retries as usize <= most, "{stats:?}");
    }
}

/// One call of one worker: what came before is in its log.
pub struct Call<'w> {
    pub world: &'w World,
    pub state: &'w mut State,
    pub log: &'w [Answer],
    pub answered: usize,
    pub half: Option<Value>,
    pub fresh: Option<Answer>,
    /// Whether a call failed because it is a later step's.
    pub stopped: bool,
}

impl Call<'_> {
    /// The logged answer to this call, or whether it is this step's own.
    fn logged(&mut self) -> Result<Option<Answer>, Fault> {
        let logged = self.log.get(self.answered).cloned();
        self.answered += 1;
        if logged.is_none() && (self.fresh.is_some() || self.stopped) {
            self.stopped = true;
            return Err(NOT_YET);
        }
        Ok(logged)
    }

    fn read(&mut self, key: &[u8]) -> Result<Answer, Fault> {
        let entry = self.world.entry(key);
        let Some(value) = self.state.values.get(&entry).cloned() else {
            return Ok(Answer::Absent);
        };
        if !self.world.torn {
            return Ok(Answer::Found(entry, value));
        }
        let Some(first) = self.half.take() else {
            self.half = Some(value);
            self.stopped = true;
            return Err(NOT_YET);
        };
        if first.digest == value.digest {
            return Ok(Answer::Found(entry, first));
        }
        let middle = value.bytes.len() / 2;
        let mixed = [&first.bytes[..middle], &value.bytes[middle..]].concat();
        Ok(Answer::Found(entry, Value::new(&mixed, first.number)))
    }

    fn write(&mut self, key: &[u8], value: &[u8], cas: u32) -> bool {
        let entry = self.world.entry(key);
        let found = self.state.values.get(&entry).map(|value| value.number);
        let wins = match (self.world.dialect, found) {
            _ if self.world.lawless => true,
            (Dialect::ZeroOverwrites, None) => true,
            (Dialect::ZeroOverwrites, Some(found)) => cas == 0 || cas == found,
            (Dialect::ZeroInserts, None) => cas == 0,
            (Dialect::ZeroInserts, Some(found)) => cas == found,
        };
        if wins {
            let before = self.counted(key);
            let others = self.others(key);
            self.state.writes += 1;
            let number = match self.world.dialect {
                Dialect::ZeroOverwrites => self.state.writes,
                Dialect::ZeroInserts => found.unwrap_or(0) + 1,
            };
            self.state.values.insert(entry, Value::new(value, number));
            let after = self.counted(key);
            self.state.ledger.compare(&before, &after);
            let left = self.others(key);
            self.state.ledger.evicted += others - left;
        }
        wins
    }

    /// What the first limit of each counter kept under `key` has counted; `None` where there is no entry.
    fn counted(&self, key: &[u8]) -> Vec<Option<u32>> {
        let counters = self.world.counters.iter();
        counters
            .map(|counter| {
                let set = (counter.key() == key).then(|| self.state.set_of(self.world, counter))?;
                let cell = set?.find(counter.fingerprint)?.next()?;
                Some(counted(counter.limits.first()?, cell))
            })
            .collect()
    }
}

impl Call<'_> {
    /// How many of the others are kept under `key`.
    fn others(&self, key: &[u8]) -> u32 {
        let counters = &self.world.counters;
        let set = counters.iter().find(|counter| counter.key() == key);
        let set = set.and_then(|counter| self.state.set_of(self.world, counter));
        set.map_or(0, |set| {
            OTHERS
                .map(|other| u32::from(set.find(other).is_some()))
                .sum()
        })
    }
}

impl Ledger {
    /// Notes what a write took away.
    pub fn compare(&mut self, before: &[Option<u32>], after: &[Option<u32>]) {
        for (index, change) in before.iter().zip(after).enumerate() {
            match change {
                (Some(counted), None) => {
                    self.forgiven[index] += counted;
                    self.evicted += u32::from(*counted > 0);
                }
                (Some(before), Some(after)) => self.given_back |= after < before,
                _ => {}
            }
        }
    }
}

impl SharedData for Call<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<(Vec<u8>, u32)>, Fault> {
        let answer = match self.logged()? {
            Some(answer) => answer,
            None => {
                let answer = self.read(key)?;
                self.fresh = Some(answer.clone());
                answer
            }
        };
        match answer {
            Answer::Found(_, value) => Ok(Some((value.bytes.to_vec(), value.number))),
            Answer::Absent => Ok(None),
            Answer::Swap(_) => panic!("an operation is not deterministic"),
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<Swap, Fault> {
        let won = match self.logged()? {
            Some(Answer::Swap(won)) => won,
            Some(_) => panic!("an operation is not deterministic"),
            None => {
                let won = self.write(key, value, cas);
                self.fresh = Some(Answer::Swap(won));
                won
            }
        };
        Ok(if won { Swap::Done } else { Swap::Lost })
    }
}
