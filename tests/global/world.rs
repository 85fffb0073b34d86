//! Proxies, their limiter and the network between, one event after the other.

mod network;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use weir::global::breaker::Change;
use weir::global::wire::Fault;
use weir::local::store::{self, Dialect, SharedData, Swap};

use crate::chance::Chance;
use crate::course::{Course, MILLI, Outage, Reload, SECOND};
use crate::limiter::{Ask, Limiter, Reply};
use crate::memory::Memory;
use crate::record::Record;
use crate::root::{At, IDLE, Root, Stream};

/// What became of a call, ask by ask.
type Replies = Result<Vec<Result<Reply, Fault>>, Fault>;

#[derive(Debug)]
pub struct Proxy {
    /// What its workers share.
    pub data: Memory,
    workers: Vec<Worker>,
    /// Requests that came before their time, between two steps of another.
    early: u32,
    open_since: Option<u64>,
    /// The probe under way, and when it was sent.
    probe: Option<(u32, u64)>,
}

#[derive(Debug, Default)]
struct Worker {
    /// Counts its deaths.
    life: u32,
    /// The last one has the requests, those before are being drained. None for one that is at work.
    roots: Vec<Option<Root>>,
}

#[derive(Debug)]
struct Call {
    at: At,
    /// With the pot that each is for.
    asks: Vec<(Ask, Option<u64>)>,
    is_over: bool,
    replies: Option<Replies>,
}

#[derive(Clone, Copy, Debug)]
pub enum Event {
    Requests { proxy: usize, invented: bool },
    Wakes(At),
    Ticks(At, u32),
    Leaves(At, u32),
    Arrives(u32),
    Answers(u32),
    TimesOut(u32),
    Dies { proxy: usize, worker: usize },
    GoesOn,
    Reloads,
}

pub struct World {
    pub course: Course,
    pub chance: Chance,
    pub proxies: Vec<Proxy>,
    pub limiter: Limiter,
    pub record: Record,
    pub time: u64,
    /// How deep requests have crossed each other.
    crossed: u32,
    /// What runs has so much of the limit.
    limit: u32,
    streams: u32,
    invented: u64,
    calls: Vec<Call>,
    events: BinaryHeap<Reverse<(u64, usize)>>,
    told: Vec<Event>,
    /// Calls that hang at a limiter that is stopped.
    hanging: Vec<u32>,
}

/// The most requests that come before their time: what crosses others must not be a load of its own.
const MOST_EARLY: u32 = 8;

/// So many seeds, or the one that `WEIR_SEED` names.
pub fn seeds(count: u64) -> std::ops::Range<u64> {
    let only = std::env::var("WEIR_SEED").ok();
    let only: Option<u64> = only.map(|seed| seed.parse().expect("a seed is a number"));
    only.map_or(0..count, |seed| seed..seed + 1)
}

/// A few seeds of a course. Whatever it is, [`Record::holds`].
pub fn runs(count: u64, course: Course) -> Vec<Record> {
    let kept = |seed| {
        let record = run(seed, course);
        if let Err(broken) = record.holds(&course) {
            panic!("WEIR_SEED={seed}: {broken}\n{course:?}");
        }
        record
    };
    seeds(count).map(kept).collect()
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
    world.time = end;
    world.close()
}

impl World {
    fn new(seed: u64, course: Course) -> Self {
        let proxy = |_| Proxy {
            data: Memory::new(Dialect::ZeroOverwrites),
            workers: (0..course.workers).map(|_| Worker::default()).collect(),
            early: 0,
            open_since: None,
            probe: None,
        };
        let mut world = Self {
            course,
            chance: Chance::new(seed),
            proxies: (0..course.proxies).map(proxy).collect(),
            limiter: Limiter::new(&course),
            record: Record::default(),
            time: 0,
            crossed: 0,
            limit: course.limit,
            streams: 0,
            invented: 0,
            calls: Vec::new(),
            events: BinaryHeap::new(),
            told: Vec::new(),
            hanging: Vec::new(),
        };
        for proxy in 0..course.proxies as usize {
            world.next_request(proxy, false);
            world.next_request(proxy, true);
            for worker in 0..course.workers {
                world.configure(proxy, worker);
                world.next_death(proxy, worker);
            }
        }
        if let Some((Outage::Hangs, _, until)) = course.outage {
            world.later(until, Event::GoesOn);
        }
        if let Some((_, time)) = course.reload {
            world.later(time, Event::Reloads);
        }
        world
    }

    fn turn(&mut self, event: Event) {
        match event {
            Event::Requests { proxy, invented } => {
                self.next_request(proxy, invented);
                let early = &mut self.proxies[proxy].early;
                if !invented && *early > 0 {
                    *early -= 1;
                } else if invented || self.course.is_busy(self.time) {
                    self.request(proxy, invented);
                }
            }
            Event::Wakes(at) => self.with(at, |root, world| root.on_woken(world)),
            Event::Ticks(at, beat) => self.with(at, |root, world| {
                if root.beat == beat {
                    root.on_tick(world);
                }
            }),
            Event::Leaves(at, stream) => self.with(at, |root, world| {
                if root.streams.remove(&stream).is_some() {
                    world.record.gone += 1;
                    root.client.exchange.parking.leave(stream);
                }
            }),
            Event::Arrives(call) => self.arrives(call),
            Event::Answers(call) => {
                let replies = self.calls[call as usize].replies.take();
                self.ends(call, replies.unwrap_or(Err(Fault::Unreachable)));
            }
            Event::TimesOut(call) => self.ends(call, Err(Fault::Timeout)),
            Event::Dies { proxy, worker } => {
                self.next_death(proxy, worker);
                self.die(proxy, worker);
            }
            Event::GoesOn => {
                for call in std::mem::take(&mut self.hanging) {
                    self.hit(call, MILLI);
                }
            }
            Event::Reloads => self.reload(),
        }
    }

    pub fn later(&mut self, span: u64, event: Event) {
        let at = self.time.saturating_add(span);
        self.events.push(Reverse((at, self.told.len())));
        self.told.push(event);
    }

    fn next_request(&mut self, proxy: usize, invented: bool) {
        let rate = match invented {
            true => self.course.invented,
            false => self.course.rate(proxy),
        };
        if rate > 0.0 {
            let gap = self.chance.gap(SECOND as f64 / rate);
            self.later(gap as u64, Event::Requests { proxy, invented });
        }
    }

    fn next_death(&mut self, proxy: usize, worker: usize) {
        if self.course.deaths > 0.0 {
            let gap = self.chance.gap(SECOND as f64 / self.course.deaths);
            self.later(gap as u64, Event::Dies { proxy, worker });
        }
    }

    /// The root that has the requests of some worker of a proxy that is not at work.
    fn free(&mut self, proxy: usize) -> Option<At> {
        let workers = &self.proxies[proxy].workers;
        let is_free = |worker: &&Worker| worker.roots.iter().all(Option::is_some);
        let free: Vec<&Worker> = workers.iter().filter(is_free).collect();
        let count = (free.len() as u64).max(1);
        let worker = free.get(self.chance.below(count) as usize)?;
        Some(worker.roots.last()?.as_ref()?.at)
    }

    /// A request comes to some worker of a proxy.
    fn request(&mut self, proxy: usize, invented: bool) {
        let Some(at) = self.free(proxy) else { return };
        self.invented += u64::from(invented);
        let key = match invented {
            true => 1_000_000 + self.invented,
            false => self.chance.below(self.course.keys),
        };
        let stream = Stream::new(key, self.chance.below(10), self.time);
        self.record.offered += 1;
        self.with(at, |root, world| root.on_request(world, stream));
    }

    /// Lets a root do something, unless it is gone.
    fn with(&mut self, at: At, act: impl FnOnce(&mut Root, &mut Self)) {
        let worker = &mut self.proxies[at.proxy].workers[at.worker];
        if worker.life != at.life {
            return;
        }
        let mut root = worker.roots[at.root]
            .take()
            .expect("a thread does one thing at a time");
        act(&mut root, self);
        self.proxies[at.proxy].workers[at.worker].roots[at.root] = Some(root);
    }

    /// A worker gets a configuration.
    fn configure(&mut self, proxy: usize, worker: usize) {
        let Worker { life, roots } = &self.proxies[proxy].workers[worker];
        let at = At {
            proxy,
            worker,
            life: *life,
            root: roots.len(),
        };
        let plan = self.course.plan(self.limit);
        let root = Root::new(at, plan, &mut self.proxies[proxy].data);
        let beat = root.beat;
        self.proxies[proxy].workers[worker].roots.push(Some(root));
        let first = self.chance.below(IDLE);
        self.later(first, Event::Ticks(at, beat));
    }

    fn die(&mut self, proxy: usize, worker: usize) {
        let died = &mut self.proxies[proxy].workers[worker];
        let streams = died.roots.iter().flatten().map(|root| root.streams.len());
        self.record.gone += streams.sum::<usize>() as u64;
        *died = Worker {
            life: died.life + 1,
            ..Worker::default()
        };
        self.configure(proxy, worker);
    }

    fn reload(&mut self) {
        if let Some((Reload::Half, _)) = self.course.reload {
            self.limit = self.course.limit / 2;
            self.limiter.is_halved = true;
        }
        for proxy in 0..self.proxies.len() {
            for worker in 0..self.course.workers {
                self.configure(proxy, worker);
            }
        }
    }

    pub fn number_stream(&mut self) -> u32 {
        self.streams += 1;
        self.streams
    }

    /// A request waits.
    pub fn parked(&mut self, at: At, stream: u32) {
        self.record.parked += 1;
        if self.chance.share() < self.course.leaving {
            let span = self.chance.below(10 * MILLI);
            self.later(span, Event::Leaves(at, stream));
        }
    }

    pub fn changed(&mut self, proxy: usize, change: Option<Change>) {
        let Some(change) = change else { return };
        self.proxies[proxy].open_since = match change {
            Change::Opened(..) => Some(self.time),
            Change::Closed => None,
        };
        self.record.breakers.push((proxy, self.time, change));
    }

    /// Another worker comes first: with a look at who waits, or a request that would have come a little later.
    fn cross(&mut self, proxy: usize) {
        if self.crossed >= 3 || self.chance.share() >= self.course.crossings {
            return;
        }
        self.crossed += 1;
        if self.chance.below(4) == 0 {
            if let Some(at) = self.free(proxy) {
                self.with(at, |root, world| root.watch(world));
            }
        } else if self.proxies[proxy].early < MOST_EARLY {
            self.proxies[proxy].early += 1;
            self.request(proxy, false);
        }
        self.crossed -= 1;
    }

    /// What the run has seen, once those are counted who still wait.
    fn close(mut self) -> Record {
        for proxy in &self.proxies {
            let roots = proxy
                .workers
                .iter()
                .flat_map(|worker| &worker.roots)
                .flatten();
            for stream in roots.flat_map(|root| root.streams.values()) {
                self.record.gone += 1;
                self.record.waited(self.time - stream.since);
            }
            self.record.values = self.record.values.max(proxy.data.len());
        }
        self.record
    }
}

/// The shared data of a proxy as one worker sees it: others come between.
pub struct Crossing<'w> {
    pub world: &'w mut World,
    proxy: usize,
}

impl<'w> Crossing<'w> {
    pub fn of(world: &'w mut World, proxy: usize) -> Self {
        Self { world, proxy }
    }
}

impl SharedData for Crossing<'_> {
    fn get(&mut self, key: &[u8]) -> Result<Option<(Vec<u8>, u32)>, store::Fault> {
        let found = self.world.proxies[self.proxy].data.get(key);
        self.world.cross(self.proxy);
        found
    }

    fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<Swap, store::Fault> {
        self.world.proxies[self.proxy].data.set(key, value, cas)
    }
}
