//! A worker of a proxy, as the edge to the proxy will drive the core.

use std::collections::{BTreeMap, VecDeque};

use weir::global::breaker::{Breaker, Event, Permit};
use weir::global::lease::debit::{Answer, Debit, Failure};
use weir::global::lease::pot::{Alone, Next, Pot, Spend, Waiting};
use weir::global::lease::pots::Stats;
use weir::global::lease::span::{Ends, Flight};
use weir::local::store::Swap;
use weir::units::Nanos;

use crate::course::{BREAKER, MAX_WAIT, TICK};
use crate::limiter::{Reply, now};
use crate::world::{Call, World, counted};

/// Compare-and-swaps that may be lost; a worker is then out of luck.
const MAX_SWAPS: usize = 16;

#[derive(Debug, Default)]
pub struct Worker {
    /// Counts its deaths.
    pub life: u32,
    keys: BTreeMap<u64, Key>,
}

#[derive(Debug, Default)]
struct Key {
    /// When each request was parked, and its cost.
    parked: VecDeque<(u64, u32)>,
    is_calling: bool,
}

impl Worker {
    pub fn die(&mut self) {
        *self = Self {
            life: self.life + 1,
            ..Self::default()
        };
    }
}

impl World {
    /// A request comes to some worker of a proxy.
    pub fn request(&mut self, proxy: usize) {
        let worker = self.chance.below(self.course.workers as u64) as usize;
        let key = self.chance.below(self.course.keys);
        let cost = 1 + self.chance.below(self.course.cost.into()) as u32;
        self.record.offered += 1;
        if let Err(is_refused) = self.try_spend(proxy, worker, key, cost) {
            if is_refused {
                self.record.refused += 1;
                return;
            }
            if self.permit(proxy) != Permit::Call {
                self.alone(proxy, key, cost);
                return;
            }
            self.record.parked += 1;
            let time = self.time;
            self.key(proxy, worker, key).parked.push_back((time, cost));
            self.ask(proxy, worker, key);
        }
    }

    /// Spends from the pot; else whether it refuses.
    fn try_spend(&mut self, proxy: usize, worker: usize, key: u64, cost: u32) -> Result<(), bool> {
        let instant = self.instant();
        let spend = self.change(proxy, key, |pot| pot.spend(instant, cost));
        match spend {
            Spend::Spent { window, low } => {
                if self.chance.share() < self.course.given_back {
                    self.change(proxy, key, |pot| pot.give_back(window, cost, instant));
                } else {
                    self.spent(key, cost);
                }
                if low {
                    self.ask(proxy, worker, key);
                }
                Ok(())
            }
            Spend::Short => Err(false),
            Spend::Refused { until } => {
                assert!(until > instant, "a refusal lasts");
                Err(true)
            }
        }
    }

    fn spent(&mut self, key: u64, cost: u32) {
        let (window, is_open) = self.limiter.window(counted(key), self.time);
        self.record.stray += u64::from(!is_open);
        self.record.admit(key, window, cost);
    }

    fn alone(&mut self, proxy: usize, key: u64, cost: u32) {
        let (share, time) = (self.course.share(), now(self.time));
        match self.change(proxy, key, |pot| pot.spend_alone(&share, time, cost)) {
            Alone::Admitted { .. } => self.record.alone += u64::from(cost),
            Alone::Refused { .. } => self.record.refused += 1,
        }
    }

    /// Asks the limiter for what a worker needs.
    fn ask(&mut self, proxy: usize, worker: usize, key: u64) {
        if self.key(proxy, worker, key).is_calling || self.permit(proxy) != Permit::Call {
            return;
        }
        let parked = &self.key(proxy, worker, key).parked;
        let waiting = Waiting {
            all: parked.iter().map(|(_, cost)| cost).sum(),
            first: parked.front().map_or(0, |(_, cost)| *cost),
            ..Waiting::default()
        };
        let (share, way, time) = (self.course.share(), self.course.way(), now(self.time));
        let next = self.change(proxy, key, |pot| pot.next(&share, time, waiting, way));
        match next {
            Next::Debit(debit) => {
                self.key(proxy, worker, key).is_calling = true;
                let life = self.proxies[proxy].workers[worker].life;
                self.send(Call {
                    proxy,
                    worker,
                    life,
                    key,
                    debit: Some(debit),
                });
            }
            Next::Rest if waiting.first > 0 => self.serve(proxy, worker, key),
            Next::Rest | Next::Wait => {}
        }
    }

    pub fn answered(&mut self, call: &Call, debit: &Debit, outcome: Result<Reply, Failure>) {
        let Call {
            proxy, worker, key, ..
        } = *call;
        self.key(proxy, worker, key).is_calling = false;
        let (share, instant) = (self.course.share(), self.instant());
        let direct = match outcome {
            Ok(reply) => {
                let answer = self.answer(debit, &reply);
                let filled =
                    self.change(proxy, key, |pot| pot.fill(&share, debit, &answer, instant));
                self.record.lapsed += u64::from(filled.lapsed);
                self.record.over += u64::from(!reply.told.granted);
                if reply.told.granted {
                    self.record.told(key, reply.window, debit.owed);
                }
                filled.direct
            }
            Err(failure) => {
                self.change(proxy, key, |pot| pot.fail(debit, failure));
                0
            }
        };
        if let Ok(reply) = outcome {
            self.serve_direct(call, direct, &reply);
        }
        self.serve(proxy, worker, key);
        self.ask(proxy, worker, key);
    }

    fn answer(&self, debit: &Debit, reply: &Reply) -> Answer {
        let flight = Flight {
            sent: debit.sent,
            received: now(self.time),
        };
        let counter = reply.told.counter.unwrap();
        Answer {
            granted: reply.told.granted,
            remaining: counter.remaining,
            ends: Ends::told(flight, counter.reset, Nanos(self.course.period)),
            burns: self.course.engine.burns(),
            shadows: self.course.engine.shadows(),
            counted: counter.numbers(Nanos(self.course.period)),
        }
    }

    /// Serves those who waited for a debit from what it gave.
    fn serve_direct(&mut self, call: &Call, mut direct: u32, reply: &Reply) {
        let Call {
            proxy, worker, key, ..
        } = *call;
        while let Some(&(since, cost)) = self.key(proxy, worker, key).parked.front() {
            let Some(left) = direct.checked_sub(cost) else {
                break;
            };
            direct = left;
            self.key(proxy, worker, key).parked.pop_front();
            self.waited(since);
            self.record.admit(key, reply.window, cost);
        }
        self.record.lapsed += u64::from(direct);
    }

    /// Tries again for those who are parked, in their order.
    fn serve(&mut self, proxy: usize, worker: usize, key: u64) {
        let mut turns = self.key(proxy, worker, key).parked.len();
        while turns > 0 {
            let Some((since, cost)) = self.key(proxy, worker, key).parked.pop_front() else {
                return;
            };
            match self.try_spend(proxy, worker, key, cost) {
                Ok(()) => self.waited(since),
                Err(true) => {
                    self.waited(since);
                    self.record.refused += 1;
                    self.record.parked -= 1;
                }
                Err(false) => {
                    let parked = &mut self.key(proxy, worker, key).parked;
                    parked.push_front((since, cost));
                    return;
                }
            }
            turns -= 1;
        }
    }

    pub fn tick(&mut self, proxy: usize, worker: usize) {
        for key in 0..self.course.keys {
            self.serve(proxy, worker, key);
            while let Some(&(since, cost)) = self.key(proxy, worker, key).parked.front() {
                let is_down = self.permit(proxy) != Permit::Call;
                if self.time - since < MAX_WAIT && !is_down {
                    break;
                }
                self.key(proxy, worker, key).parked.pop_front();
                self.record.abandoned += 1;
                self.waited(since);
                self.alone(proxy, key, cost);
            }
            self.ask(proxy, worker, key);
        }
        if self.permit(proxy) == Permit::Probe {
            self.tell(proxy, Event::ProbeSent);
            let life = self.proxies[proxy].workers[worker].life;
            self.send(Call {
                proxy,
                worker,
                life,
                key: 0,
                debit: None,
            });
        }
    }

    fn waited(&mut self, since: u64) {
        let waited = self.time - since;
        self.record.longest_wait = self.record.longest_wait.max(waited);
        self.record.overdue += u64::from(waited > MAX_WAIT + TICK);
    }

    fn permit(&self, proxy: usize) -> Permit {
        Breaker::decode(self.proxies[proxy].breaker).permit(self.instant(), &BREAKER)
    }

    fn key(&mut self, proxy: usize, worker: usize, key: u64) -> &mut Key {
        self.proxies[proxy].workers[worker]
            .keys
            .entry(key)
            .or_default()
    }

    /// Changes a pot as workers do: read, change, compare and swap.
    fn change<T>(&mut self, proxy: usize, key: u64, change: impl Fn(&mut Pot) -> T) -> T {
        let fingerprint = fingerprint(key);
        for _ in 0..MAX_SWAPS {
            let now = self.instant();
            let pots = self.pots;
            let data = &mut self.proxies[proxy].data;
            let mut loaded = pots.load(data, fingerprint, now).unwrap();
            let before = loaded.pot;
            let told = change(&mut loaded.pot);
            if self.crossed < 3 && self.chance.share() < self.course.crossings {
                self.crossed += 1;
                self.request(proxy);
                self.crossed -= 1;
            }
            if loaded.pot == before {
                return told;
            }
            let mut stats = Stats::default();
            let data = &mut self.proxies[proxy].data;
            let swap = pots.store(data, &mut loaded, now, &mut stats).unwrap();
            self.record.lapsed += u64::from(stats.lapsed);
            self.record.lost_swaps += u64::from(stats.retries);
            if swap == Swap::Done {
                return told;
            }
        }
        panic!("{MAX_SWAPS} swaps lost");
    }
}

/// As a keyed hash would spread them.
fn fingerprint(key: u64) -> u64 {
    (key + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
