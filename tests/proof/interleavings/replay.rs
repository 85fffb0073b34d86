//! Workers that are run one shared-data call at a time.

use std::collections::BTreeMap;
use std::hash::Hash;

use siphasher::sip128::{Hasher128, SipHasher13};
use weir::local::cell::Cell;
use weir::local::limit::Limit;
use weir::local::set::Set;
use weir::local::table::Stats;
use weir::local::transaction::{Entry, Transaction};
use weir::units::Nanos;

use super::call::{Answer, Call, Ledger, Value};
use super::world::{Counter, Operation, World, counted};
use crate::world::at;

#[derive(Clone, Debug, Default)]
struct Worker {
    /// Operations done.
    done: usize,
    /// What the one under way has been answered.
    log: Vec<Answer>,
    /// A value of which the first half has been read.
    half: Option<Value>,
}

/// One state of all workers and what they share.
#[derive(Clone, Debug)]
pub struct State {
    pub values: BTreeMap<Vec<u8>, Value>,
    pub writes: u32,
    workers: Vec<Worker>,
    pub ledger: Ledger,
}

impl State {
    pub fn begin(world: &World, workers: usize) -> Self {
        let mut state = Self {
            values: BTreeMap::new(),
            writes: 0,
            workers: vec![Worker::default(); workers],
            ledger: Ledger {
                charged: vec![0; world.counters.len()],
                forgiven: vec![0; world.counters.len()],
                ..Ledger::default()
            },
        };
        for (key, value) in &world.stored {
            state.writes += 1;
            let number = state.writes;
            state
                .values
                .insert(world.entry(key), Value::new(value, number));
        }
        state
    }

    /// The state after one more call of a worker; `None` when it has nothing left to do.
    pub fn step(&self, world: &World, index: usize, program: &[Operation]) -> Option<Self> {
        let mut next = self.clone();
        let mut worker = self.workers[index].clone();
        let operation = program.get(worker.done)?;
        let now = at(Nanos(operation.late));
        let mut stats = Stats::default();
        let mut call = Call {
            world,
            state: &mut next,
            log: &worker.log,
            answered: 0,
            half: worker.half.take(),
            fresh: None,
            stopped: false,
        };
        let counters = || {
            operation
                .counters
                .iter()
                .map(|index| &world.counters[*index])
        };
        let mut entries: Vec<Entry<'_>> = counters().map(Counter::entry).collect();
        let table = &world.counters[*operation.counters.first()?].table;
        let settled = Transaction {
            table,
            data: &mut call,
            now,
            stats: &mut stats,
        }
        .settle(&mut entries);
        let Call {
            half,
            fresh,
            stopped,
            ..
        } = call;
        worker.half = half;
        worker.log.extend(fresh);
        if !stopped {
            let faults: Vec<bool> = entries.iter().map(|entry| entry.fault.is_some()).collect();
            next.ledger.close(operation, settled, &faults, stats);
            worker = Worker {
                done: worker.done + 1,
                ..Worker::default()
            };
        }
        next.workers[index] = worker;
        Some(next)
    }

    /// What must hold always, and at the end.
    pub fn check(&self, world: &World, ended: bool) -> Result<(), String> {
        for (index, counter) in world.counters.iter().enumerate() {
            let charged = self.ledger.charged[index];
            let forgiven = self.ledger.forgiven[index];
            let most = counter.limits.iter().map(Limit::capacity).min();
            let most = most.ok_or("a counter without limits")?;
            if charged > most + forgiven {
                return Err(format!("counter {index}: {charged} of {most} + {forgiven}"));
            }
            if !ended {
                continue;
            }
            // Every charge is in the table, or was forgotten there, once. One that was forgotten before it
            // could be given back was forgiven, but had not been charged in the end.
            let stored = self.stored(world, counter);
            let off = |stored: &u32| {
                let sum = stored + forgiven;
                sum < charged || sum > charged && forgiven == 0
            };
            if stored.iter().any(off) {
                return Err(format!(
                    "counter {index}: {charged} charged, {stored:?} stored, {forgiven} forgiven"
                ));
            }
        }
        let ledger = &self.ledger;
        if ended && ledger.told_evicted != ledger.evicted || ledger.corrupt {
            return Err(format!("not as told: {ledger:?}"));
        }
        Ok(())
    }

    /// What each limit of a counter has counted, as it is stored.
    fn stored(&self, world: &World, counter: &Counter) -> Vec<u32> {
        let set = self.set_of(world, counter);
        let cells = set.iter().filter_map(|set| set.find(counter.fingerprint));
        let cells = cells.flatten().chain(std::iter::repeat(Cell::default()));
        let limits = counter.limits.iter().zip(cells);
        limits.map(|(limit, cell)| counted(limit, cell)).collect()
    }

    pub fn set_of(&self, world: &World, counter: &Counter) -> Option<Set> {
        let bytes = &self.values.get(&world.entry(&counter.key()))?.bytes;
        let class = counter.class();
        let place = counter.table.place(class, counter.fingerprint);
        Set::parse(bytes.to_vec(), place, class).ok()
    }

    /// The state as 128 bits; workers of one program are interchangeable.
    pub fn hash(&self, programs: &[Vec<Operation>]) -> u128 {
        let workers = self.workers.iter().zip(programs);
        let mut workers: Vec<u128> = workers
            .map(|(worker, program)| {
                let log = worker.log.iter().map(|answer| self.outlook(answer));
                let log: Vec<_> = log.collect();
                let half = worker.half.as_ref().map(|half| (half.digest, half.number));
                digest(&(worker.done, log, half, program))
            })
            .collect();
        workers.sort_unstable();
        let values = self.values.iter();
        let values: Vec<_> = values.map(|(entry, value)| (entry, value.digest)).collect();
        digest(&(values, &workers, &self.ledger))
    }

    /// What is left to tell of an answer. Numbers never come twice, so all that matters of one is whether
    /// the value still has it.
    fn outlook(&self, answer: &Answer) -> (u8, u64, bool) {
        match answer {
            Answer::Absent => (0, 0, false),
            Answer::Found(entry, value) => {
                let current = self.values.get(entry);
                let current = current.is_some_and(|current| current.number == value.number);
                (1, value.digest, current)
            }
            Answer::Swap(won) => (2, 0, *won),
        }
    }
}

fn digest(value: &impl Hash) -> u128 {
    let mut hasher = SipHasher13::new();
    value.hash(&mut hasher);
    hasher.finish128().as_u128()
}
