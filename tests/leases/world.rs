//! Proxies, their limiter and the network between, one event after the other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use weir::global::breaker::{Breaker, Event as Happened};
use weir::global::lease::debit::{Debit, Failure};
use weir::global::lease::pots::Pots;
use weir::local::store::Dialect;
use weir::units::Instant;

use crate::chance::Chance;
use crate::course::{BREAKER, Course, MILLI, SECOND, TICK, TIMEOUT};
use crate::limiter::{Ask, Counted, Limiter, Reply, now};
use crate::memory::Memory;
use crate::record::Record;
use crate::worker::Worker;

/// A proxy: what its workers share.
#[derive(Debug)]
pub struct Proxy {
    pub data: Memory,
    /// The gauge that holds the breaker.
    pub breaker: u64,
    pub workers: Vec<Worker>,
}

/// A call under way.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub proxy: usize,
    pub worker: usize,
    /// Which life of the worker it belongs to.
    pub life: u32,
    pub key: u64,
    /// None for a probe.
    pub debit: Option<Debit>,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Request { proxy: usize },
    Tick { proxy: usize, worker: usize },
    Arrives { call: usize },
    Answers { call: usize, reply: Option<Reply> },
    TimesOut { call: usize },
    Dies { proxy: usize, worker: usize },
}

pub struct World {
    pub course: Course,
    pub pots: Pots,
    pub chance: Chance,
    pub proxies: Vec<Proxy>,
    pub limiter: Limiter,
    pub record: Record,
    pub time: u64,
    /// How deep requests have crossed each other.
    pub crossed: u32,
    calls: Vec<(Call, bool)>,
    events: BinaryHeap<Reverse<(u64, usize)>>,
    told: Vec<Event>,
    /// Calls that hang at a limiter that is stopped.
    hanging: Vec<usize>,
}

/// Runs a course to its end.
pub fn run(seed: u64, course: Course) -> Record {
    let mut world = World::new(seed, course);
    let end = course.windows * course.period;
    while let Some(Reverse((time, event))) = world.events.pop() {
        if time > end {
            break;
        }
        world.time = time;
        world.turn(world.told[event]);
    }
    for proxy in &world.proxies {
        assert!(
            proxy.data.len() as u64 <= course.keys,
            "one value for a key"
        );
    }
    world.record
}

impl World {
    fn new(seed: u64, course: Course) -> Self {
        let proxy = |_| Proxy {
            data: Memory::new(Dialect::ZeroOverwrites),
            breaker: 0,
            workers: (0..course.workers).map(|_| Worker::default()).collect(),
        };
        let mut world = Self {
            course,
            pots: Pots::new("leases", 1_024, Dialect::ZeroOverwrites),
            chance: Chance::new(seed),
            proxies: (0..course.proxies).map(proxy).collect(),
            limiter: Limiter::new(&course),
            record: Record::default(),
            time: 0,
            crossed: 0,
            calls: Vec::new(),
            events: BinaryHeap::new(),
            told: Vec::new(),
            hanging: Vec::new(),
        };
        for proxy in 0..course.proxies as usize {
            world.next_request(proxy);
            for worker in 0..course.workers {
                let first = world.chance.below(TICK);
                world.later(first, Event::Tick { proxy, worker });
                world.next_death(proxy, worker);
            }
        }
        if let Some((_, until)) = course.outage {
            world.later(
                until,
                Event::Tick {
                    proxy: usize::MAX,
                    worker: 0,
                },
            );
        }
        world
    }

    fn turn(&mut self, event: Event) {
        match event {
            Event::Request { proxy } => {
                self.next_request(proxy);
                self.request(proxy);
            }
            Event::Tick {
                proxy: usize::MAX, ..
            } => self.go_on(),
            Event::Tick { proxy, worker } => {
                self.later(TICK, Event::Tick { proxy, worker });
                self.tick(proxy, worker);
            }
            Event::Arrives { call } => self.arrives(call),
            Event::Answers { call, reply } => self.ends(call, reply.ok_or(Failure::Uncounted)),
            Event::TimesOut { call } => self.ends(call, Err(Failure::Unknown)),
            Event::Dies { proxy, worker } => {
                self.next_death(proxy, worker);
                self.proxies[proxy].workers[worker].die();
            }
        }
    }

    fn later(&mut self, span: u64, event: Event) {
        self.events
            .push(Reverse((self.time + span, self.told.len())));
        self.told.push(event);
    }

    fn next_request(&mut self, proxy: usize) {
        let gap = self.chance.gap(SECOND as f64 / self.course.rate());
        self.later(gap as u64, Event::Request { proxy });
    }

    fn next_death(&mut self, proxy: usize, worker: usize) {
        if self.course.deaths > 0.0 {
            let gap = self.chance.gap(SECOND as f64 / self.course.deaths);
            self.later(gap as u64, Event::Dies { proxy, worker });
        }
    }

    /// Sends a call.
    pub fn send(&mut self, call: Call) {
        let number = self.calls.len();
        self.calls.push((call, false));
        self.record.calls += 1;
        self.later(TIMEOUT, Event::TimesOut { call: number });
        if self.chance.share() >= self.course.lost {
            let way = self.way();
            self.later(way, Event::Arrives { call: number });
        }
    }

    /// Half of the way there and back.
    fn way(&mut self) -> u64 {
        let way = self.course.rtt / 2;
        way - way / 10 + self.chance.below(way / 5)
    }

    fn is_down(&self) -> bool {
        let outage = self.course.outage;
        outage.is_some_and(|(from, until)| (from..until).contains(&self.time))
    }

    fn arrives(&mut self, call: usize) {
        let way = self.way();
        match self.is_down() {
            true => self.hanging.push(call),
            false => {
                let reply = self.hit(call);
                if self.chance.share() >= self.course.lost {
                    let is_late = self.chance.share() < self.course.late;
                    let late = if is_late {
                        self.chance.below(2 * TIMEOUT)
                    } else {
                        0
                    };
                    self.later(
                        way + late,
                        Event::Answers {
                            call,
                            reply: Some(reply),
                        },
                    );
                }
            }
        }
    }

    fn hit(&mut self, call: usize) -> Reply {
        let (Call { key, debit, .. }, _) = self.calls[call];
        let hits = debit.map_or(0, |debit| debit.hits());
        let Course { limit, period, .. } = self.course;
        let ask = Ask {
            counted: counted(key),
            hits,
            limit,
            period,
        };
        self.limiter.hit(&ask, limit, self.time, &mut self.chance)
    }

    /// A limiter that was stopped counts what it was sent meanwhile.
    fn go_on(&mut self) {
        for call in std::mem::take(&mut self.hanging) {
            let reply = self.hit(call);
            self.later(
                MILLI,
                Event::Answers {
                    call,
                    reply: Some(reply),
                },
            );
        }
    }

    /// A call ends by its answer or by its time, whichever is first.
    fn ends(&mut self, call: usize, outcome: Result<Reply, Failure>) {
        let (call, ended) = &mut self.calls[call];
        if std::mem::replace(ended, true) {
            return;
        }
        let call = *call;
        if self.proxies[call.proxy].workers[call.worker].life != call.life {
            return;
        }
        let event = match (call.debit, &outcome) {
            (Some(_), Ok(_)) => Happened::Answered,
            (Some(_), Err(_)) => Happened::Failed,
            (None, Ok(_)) => Happened::ProbeAnswered,
            (None, Err(_)) => Happened::ProbeFailed,
        };
        self.tell(call.proxy, event);
        if let Some(debit) = call.debit {
            self.answered(&call, &debit, outcome);
        }
    }

    pub fn tell(&mut self, proxy: usize, event: Happened) {
        let jitter = self.chance.word();
        let breaker = &mut self.proxies[proxy].breaker;
        let (after, change) =
            Breaker::decode(*breaker).after(event, now(self.time).monotonic, &BREAKER, jitter);
        *breaker = after.encode();
        if let Some(change) = change {
            self.record.breakers.push((proxy, self.time, change));
        }
    }

    pub fn instant(&self) -> Instant {
        now(self.time).monotonic
    }
}

/// There is one rule of one limit.
pub const fn counted(key: u64) -> Counted {
    ('r', 0, key)
}
