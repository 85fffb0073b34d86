//! Workers that all charge one key as fast as they can, each on a core of its own: how many requests are refused because
//! others kept coming between a read and its write.
//!
//! One worker runs the transaction that ships. The others are what matters of it: when they read, and when they write.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use weir::local::store::{Dialect, Fault, SharedData, Swap};
use weir::local::table::{Stats, Table};
use weir::local::transaction::{Demand, Entry, Settled, Transaction};

use crate::world::chance::Chance;
use crate::world::memory::Memory;
use crate::world::{HOUR, NOON, bucket};

/// What a request costs in instructions, as measured in Envoy: from its read to its write, the write, and all the rest.
const WINDOW: u64 = 13_000;
const WRITE: u64 = 2_000;
const REST: u64 = 100_000;

/// What another worker does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Read,
    /// It writes, if the value is still the one with this number.
    Write(u32),
}

/// Shared data that others use too, in virtual time.
struct Busy {
    data: Memory,
    /// The only one.
    key: Vec<u8>,
    time: u64,
    others: BinaryHeap<Reverse<(u64, usize, Step)>>,
    chance: Chance,
}

impl Busy {
    fn new(workers: usize) -> Self {
        let mut chance = Chance::new(workers as u64);
        let others = 1..workers;
        let others = others.map(|worker| Reverse((chance.below(REST), worker, Step::Read)));
        Self {
            data: Memory::new(Dialect::ZeroOverwrites),
            key: Vec::new(),
            time: 0,
            others: others.collect(),
            chance,
        }
    }

    /// So many instructions, give or take some.
    fn about(&mut self, instructions: u64) -> u64 {
        instructions * 4 / 5 + self.chance.below(instructions / 2)
    }

    /// Lets time pass for all.
    fn pass(&mut self, instructions: u64) {
        self.time += self.about(instructions);
        while let Some(Reverse((at, worker, step))) = self.others.peek().copied()
            && at <= self.time
        {
            self.others.pop();
            let stored = self.data.get(&self.key).unwrap();
            let (pause, next) = match (step, stored) {
                (Step::Read, stored) => {
                    let number = stored.map_or(0, |(_, number)| number);
                    (self.about(WINDOW), Step::Write(number))
                }
                (Step::Write(read), Some((value, number))) if read == number => {
                    let _ = self.data.set(&self.key, &value, number).unwrap();
                    (WRITE + self.about(REST), Step::Read)
                }
                (Step::Write(_), _) => (WRITE, Step::Read),
            };
            self.others.push(Reverse((at + pause, worker, next)));
        }
    }
}

impl SharedData for Busy {
    fn get(&mut self, key: &[u8]) -> Result<Option<(Vec<u8>, u32)>, Fault> {
        key.clone_into(&mut self.key);
        self.data.get(key)
    }

    fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<Swap, Fault> {
        self.pass(WINDOW);
        let swap = self.data.set(key, value, cas);
        self.pass(WRITE);
        swap
    }
}

#[test]
fn less_than_one_request_in_a_hundred_thousand_is_refused_for_contention() {
    const REQUESTS: u32 = 100_000;
    let limits = [bucket(1_000_000_000, HOUR, 1_000_000_000).unwrap()];
    let demand = Demand {
        limits: &limits,
        tag: 1,
        fingerprint: 1,
        cost: 1,
        deny_on_fault: false,
    };
    let table = Table::new("proof", 1_024, Dialect::ZeroOverwrites);
    for (workers, least_lost) in [(1, 0.0), (4, 0.2), (16, 5.0), (32, 15.0)] {
        let (mut data, mut stats) = (Busy::new(workers), Stats::default());
        let (mut contended, mut beyond_16) = (0, 0);
        for _ in 0..REQUESTS {
            data.pass(REST);
            let lost_before = stats.retries;
            let settled = Transaction {
                table: &table,
                data: &mut data,
                now: NOON,
                stats: &mut stats,
            }
            .settle(&mut [Entry::new(demand, &table)]);
            contended += u32::from(settled == Settled::Contended(0));
            beyond_16 += u32::from(stats.retries - lost_before >= 16);
        }
        let lost = f64::from(stats.retries) / f64::from(REQUESTS);
        println!(
            "{workers} workers: {lost:.2} writes lost for each request, {beyond_16} requests lost 16, {contended} refused"
        );
        assert!(lost >= least_lost, "the key is not busy");
        assert_eq!(contended, 0, "{workers} workers");
    }
}
