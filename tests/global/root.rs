//! A plan at work in a worker: what the edge to the proxy does about its service, without the proxy.

use std::collections::BTreeMap;

use weir::engine::{Asked, Incidents, Met};
use weir::facts::{Facts, Source, Unreadable};
use weir::global::caller::Caller;
use weir::global::client::{Client, Parks, Turn};
use weir::global::exchange::{Asking, Books};
use weir::global::lease::pots::Stats;
use weir::global::parking::Batch;
use weir::limiter::{Limiter, Request};
use weir::local::store::{Dialect, Founding};
use weir::plan::Plan;
use weir::refusals::Refusals;

use crate::course::MILLI;
use crate::limiter::{Ask, Reply, now};
use crate::record::Fate;
use crate::serving::Granted;
use crate::world::{Crossing, Event, World};

/// Which root of which worker, in which of the worker's lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    pub proxy: usize,
    pub worker: usize,
    pub life: u32,
    pub root: usize,
}

#[derive(Debug)]
pub struct Root {
    pub at: At,
    pub limiter: Limiter,
    refusals: Refusals,
    pub client: Client,
    /// Streams that wait.
    pub streams: BTreeMap<u32, Stream>,
    /// Whether it is to be woken.
    is_waking: bool,
    pace: u64,
    /// Tells its ticks from those of another pace.
    pub beat: u32,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Stream {
    pub key: u64,
    path: String,
    peer: String,
    pub since: u64,
}

impl Stream {
    pub fn new(key: u64, client: u64, since: u64) -> Self {
        Self {
            key,
            path: format!("/{key}"),
            peer: format!("192.0.2.{client}:1"),
            since,
        }
    }
}

impl Source for Stream {
    fn headers(&mut self) -> Result<Vec<u8>, Unreadable> {
        let (name, value) = (":path", &self.path);
        let mut bytes = 1_u32.to_le_bytes().to_vec();
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend((value.len() as u32).to_le_bytes());
        bytes.extend(format!("{name}\0{value}\0").as_bytes());
        Ok(bytes)
    }

    fn header(&mut self, name: &str) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok((name == ":path").then(|| self.path.as_bytes().to_vec()))
    }

    fn peer(&mut self) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(Some(self.peer.as_bytes().to_vec()))
    }

    fn route(&mut self) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(None)
    }
}

/// How often a root ticks while nobody waits, and else.
pub const IDLE: u64 = 1_000 * MILLI;
pub const WATCHING: u64 = 10 * MILLI;

impl Root {
    pub fn new(at: At, plan: Plan, data: &mut impl weir::local::store::SharedData) -> Self {
        let service = plan.service.as_ref().unwrap();
        let client = Client::new(service, Dialect::ZeroOverwrites, Caller::Root);
        let mut refusals = Refusals::default();
        let mut limiter = Limiter::new(plan, refusals.next_generation());
        limiter.join(&Founding::join(data, [7; 16]).unwrap());
        Self {
            at,
            limiter,
            refusals,
            client,
            streams: BTreeMap::new(),
            is_waking: false,
            pace: IDLE,
            beat: 0,
        }
    }

    /// A request comes.
    pub fn on_request(&mut self, world: &mut World, mut stream: Stream) {
        let mut met = Vec::new();
        let engine = self.limiter.engine();
        let _ = engine.select(&mut Facts::new(&mut stream), &mut met, |_| ());
        let granted = Granted::before(self, world, &met, Asked::NOTHING);
        let mut incidents = Incidents::default();
        let request = Request {
            met: &met,
            now: Some(now(world.time)),
            grpc: || false,
        };
        let data = &mut Crossing::of(world, self.at.proxy);
        let fate = Fate::of(&self.limiter.answer(
            request,
            &mut self.refusals,
            data,
            &mut incidents,
        ));
        let fate = match fate {
            Fate::Waits { cold } if self.park(world, &mut stream, &met, cold) => return,
            Fate::Waits { .. } => {
                let granted = Granted::before(self, world, &met, Asked::FAILED);
                let fate = self.decide(world, &met, Asked::FAILED, &mut incidents);
                granted.note(world, &stream, &fate);
                fate
            }
            fate => {
                granted.note(world, &stream, &fate);
                fate
            }
        };
        world.record.end(&fate);
        self.refill(world, &incidents.low, &met, &mut stream);
        world.record.take(&incidents.pots);
    }

    fn park(&mut self, world: &mut World, stream: &mut Stream, met: &[Met], cold: bool) -> bool {
        let since = now(world.time).monotonic;
        let service = self.limiter.plan().service.as_ref().unwrap();
        let data = &mut Crossing::of(world, self.at.proxy);
        let parks = self.client.parks(service, cold, since, data);
        if parks == Parks::No {
            return false;
        }
        let questions = self.limiter.questions(met, &mut Facts::new(stream));
        let exchange = &mut self.client.exchange;
        if parks == Parks::Probes {
            questions
                .into_iter()
                .for_each(|question| exchange.know(question));
            self.wake(world);
            return false;
        }
        let number = world.number_stream();
        exchange
            .parking
            .park(number, met.to_vec(), questions, since);
        assert!(exchange.parking.len() <= world.course.max_parked as usize);
        self.streams.insert(number, stream.clone());
        world.parked(self.at, number);
        self.wake(world);
        true
    }

    fn refill(&mut self, world: &mut World, low: &[u64], met: &[Met], stream: &mut Stream) {
        if !self.client.exchange.is_news(low) {
            return;
        }
        for question in self.limiter.questions(met, &mut Facts::new(stream)) {
            if question.pot.is_some_and(|pot| low.contains(&pot)) {
                self.client
                    .want(question, self.limiter.plan(), now(world.time).monotonic);
            }
        }
        if self.pace == IDLE {
            self.wake(world);
        }
    }

    fn wake(&mut self, world: &mut World) {
        if !std::mem::replace(&mut self.is_waking, true) {
            world.later(10_000, Event::Wakes(self.at));
        }
    }

    pub fn on_woken(&mut self, world: &mut World) {
        self.is_waking = false;
        self.set_pace(world, WATCHING);
        self.attend(world, &[]);
    }

    pub fn on_tick(&mut self, world: &mut World) {
        world.later(self.pace, Event::Ticks(self.at, self.beat));
        self.watch(world);
    }

    /// Looks for who can be served meanwhile or has waited too long, and asks for who needs it.
    pub fn watch(&mut self, world: &mut World) {
        self.is_waking = false;
        self.client.exchange.parking.look();
        self.attend(world, &[]);
        if self.client.is_idle(now(world.time).monotonic) {
            self.set_pace(world, IDLE);
        }
    }

    fn set_pace(&mut self, world: &mut World, pace: u64) {
        if self.pace != pace {
            self.pace = pace;
            self.beat += 1;
            world.later(pace, Event::Ticks(self.at, self.beat));
        }
    }

    /// Asks for what is needed, unless the service is to be left alone: then nobody waits for it.
    fn ask(&mut self, world: &mut World) {
        if !self.client.is_asking(now(world.time).monotonic) {
            return;
        }
        let mut turn = Turn::default();
        while self.call(world, &mut turn) {}
        self.client.conclude(&turn);
    }

    /// Settles what one callback may, then asks for the rest. `windows` are those of what pots were granted.
    pub fn attend(&mut self, world: &mut World, windows: &[(u64, u64)]) {
        let mut batch = Batch::default();
        self.serve(world, &mut batch, windows);
        if !self.client.exchange.parking.is_looking() {
            self.ask(world);
            self.serve(world, &mut batch, &[]);
        }
        if self.client.exchange.parking.is_looking() {
            self.wake(world);
        }
    }

    fn call(&mut self, world: &mut World, turn: &mut Turn) -> bool {
        let (mut stats, time) = (Stats::default(), now(world.time));
        let service = self.limiter.plan().service.as_ref().unwrap();
        let data = &mut Crossing::of(world, self.at.proxy);
        let mut books = books(&self.limiter, data, time, &mut stats);
        let Some(asks) = self.client.next_call(turn, service, &mut books) else {
            return false;
        };
        let sent = asks
            .iter()
            .map(|asking| (ask(asking, self.limiter.plan()), asking.question.pot));
        let sent = sent.collect();
        match books.data.world.send(self.at, sent) {
            Some(number) => self.client.begun(number, asks, time.monotonic),
            None => {
                let change = self.client.not_begun(turn, asks, service, &mut books);
                world.changed(self.at.proxy, change);
            }
        }
        world.record.take(&stats);
        true
    }

    /// A call has ended: by what it was answered, ask by ask, or not at all.
    pub fn on_reply(
        &mut self,
        world: &mut World,
        number: u32,
        asks: &[(Ask, Option<u64>)],
        replies: Result<Vec<Result<Reply, weir::global::wire::Fault>>, weir::global::wire::Fault>,
    ) {
        let (mut stats, time) = (Stats::default(), now(world.time));
        let service = self.limiter.plan().service.as_ref().unwrap();
        let told = |replies: &Vec<Result<Reply, _>>| {
            let told = replies.iter().map(|reply| (*reply).map(|reply| reply.told));
            told.collect()
        };
        let told = replies.as_ref().map(told).map_err(|fault| *fault);
        let data = &mut Crossing::of(world, self.at.proxy);
        let mut books = books(&self.limiter, data, time, &mut stats);
        let (_, change) = self.client.answered(number, told, service, &mut books);
        world.changed(self.at.proxy, change);
        world.record.take(&stats);
        let replies = replies.unwrap_or_default();
        let windows: Vec<(u64, u64)> = asks
            .iter()
            .zip(replies)
            .filter_map(|((_, pot), reply)| Some(((*pot)?, reply.ok()?.window)))
            .collect();
        self.attend(world, &windows);
    }

    /// Decides about requests that waited, as far as that can be done. `windows` are those of what pots were granted.
    fn serve(&mut self, world: &mut World, batch: &mut Batch, windows: &[(u64, u64)]) {
        let service = self.limiter.plan().service.as_ref().unwrap();
        let max_wait = service.max_wait;
        let time = now(world.time).monotonic;
        loop {
            let parking = &mut self.client.exchange.parking;
            let Some(ready) = parking.next_ready(batch, time, max_wait) else {
                break;
            };
            let number = ready.parked.stream;
            let mut stream = self.streams[&number].clone();
            let met = ready.parked.met.clone();
            let mut incidents = Incidents::default();
            let granted = Granted::before(self, world, &met, ready.asked());
            let fate = self.decide(world, &met, ready.asked(), &mut incidents);
            if let Fate::Waits { .. } = fate {
                let parking = &mut self.client.exchange.parking;
                parking.wait_on(batch, ready);
            } else {
                if !matches!(fate, Fate::Passed(_)) {
                    self.client.exchange.parking.refund(&ready);
                }
                granted.within(windows).note(world, &stream, &fate);
                self.streams.remove(&number);
                world.record.waited(world.time - stream.since);
                world.record.overdue += u64::from(ready.is_overdue);
                world.record.end(&fate);
            }
            self.refill(world, &incidents.low, &met, &mut stream);
            world.record.take(&incidents.pots);
        }
        world.record.lapsed += u64::from(self.client.exchange.parking.take_lapsed());
    }

    fn decide(
        &mut self,
        world: &mut World,
        met: &[Met],
        asked: Asked<'_>,
        incidents: &mut Incidents,
    ) -> Fate {
        let request = Request {
            met,
            now: Some(now(world.time)),
            grpc: || false,
        };
        let data = &mut Crossing::of(world, self.at.proxy);
        Fate::of(
            &self
                .limiter
                .decide(request, asked, &mut self.refusals, data, incidents),
        )
    }
}

fn books<'a, 'w>(
    limiter: &'a Limiter,
    data: &'a mut Crossing<'w>,
    now: weir::units::Now,
    stats: &'a mut Stats,
) -> Books<'a, Crossing<'w>> {
    Books {
        plan: limiter.plan(),
        pots: limiter.engine().pots(),
        data,
        now,
        stats,
    }
}

/// What is asked, as it reaches the limiter.
fn ask(asking: &Asking, plan: &Plan) -> Ask {
    let question = &asking.question;
    let rule = &plan.rules[question.rule];
    let limit = &rule.limits[question.limit];
    let mut entries = question.descriptor.entries();
    let path = entries.find(|(key, _)| *key == "path");
    let key = path.map_or(0, |(_, path)| path.trim_start_matches('/').parse().unwrap());
    Ask {
        counted: (rule.name.chars().next().unwrap(), question.limit, key),
        hits: asking.hits,
        limit: limit.requests,
        period: limit.per.0,
    }
}
