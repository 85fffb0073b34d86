//! Engines of several workers over one store, in virtual time: a seed decides everything.
//!
//! Workers read clocks that are a little apart, cross each other in the middle of a request, and meet a
//! host that fails. Whatever happens, what was admitted and charged keeps to the limits in every span; what
//! was not charged is counted as such.

mod crossing;
mod reload;

use std::collections::HashMap;

use weir::config;
use weir::decision::{Decision, Effect};
use weir::engine::{Incidents, Met};
use weir::facts::Facts;
use weir::limiter::{Answer, Limiter, Request};
use weir::local::limit::{Algorithm, Limit};
use weir::local::store::{Dialect, Founding};
use weir::refusals::Refusals;
use weir::units::{Instant, Nanos, Now, UnixTime};

use self::crossing::{Crossing, Faults};
use crate::world::chance::Chance;
use crate::world::memory::Memory;
use crate::world::proxy::Client;
use crate::world::{NOON, bucket, spanned};

const PLAN: &str = r#"{
  "rules": [
    { "name": "client", "key": ["client_ip"], "limits": [
      { "requests": 3, "per": "1s", "burst": 5 },
      { "requests": 40, "per": "1m", "algorithm": "sliding_window" } ] },
    { "name": "all", "limits": [{ "requests": 20, "per": "1s", "algorithm": "fixed_window" }] },
    { "name": "pair", "key": ["client_ip"], "limits": [{ "requests": 7, "per": "2s", "burst": 7 }] }
  ]
}"#;

/// Workers' clocks are within this of each other.
const APART: u64 = 100_000;

/// One worker: its limiter, its clock, and what it saw.
struct Worker {
    limiter: Limiter,
    refusals: Refusals,
    /// How far its clock is ahead of the slowest.
    ahead: u64,
    met: Vec<Met>,
}

/// What was charged, by rule and fingerprint, and when.
type Charges = HashMap<(usize, Option<u64>), Vec<u64>>;

#[derive(Default)]
struct Record {
    charges: Charges,
    admitted: u64,
    refused: u64,
    uncharged: u64,
    evicted: u32,
    crossed: u32,
}

impl Worker {
    fn join(plan: &str, dialect: Dialect, data: &mut Memory, ahead: u64) -> Self {
        let plan = config::load(plan.as_bytes(), &|_| None).expect("the plan is good");
        let mut refusals = Refusals::default();
        let mut limiter = Limiter::new(plan, refusals.next_generation());
        let founding = Founding::join(data, [ahead as u8; 16]).expect("nothing fails yet");
        assert_eq!(founding.dialect, dialect);
        limiter.join(&founding);
        Self {
            limiter,
            refusals,
            ahead,
            met: Vec::new(),
        }
    }

    fn request(&mut self, time: u64, client: u64, data: &mut Crossing<'_>, record: &mut Record) {
        let time = time + self.ahead;
        let now = Now {
            monotonic: Instant(NOON.monotonic.0 + time),
            unix: UnixTime(NOON.unix.0 + time),
        };
        let mut client = Client(client);
        let mut facts = Facts::new(&mut client);
        let unreadable = self
            .limiter
            .engine()
            .select(&mut facts, &mut self.met, |_| ());
        assert_eq!(unreadable, None);
        let mut incidents = Incidents::default();
        let request = Request {
            met: &self.met,
            now: Some(now),
            grpc: || false,
        };
        let answer = self
            .limiter
            .answer(request, &mut self.refusals, data, &mut incidents);
        let decision = match &answer {
            Answer::Pass(decision, _) => decision,
            Answer::Refuse(_, refused) => &refused.decision,
            Answer::Park { .. } => panic!("no rule is global"),
        };
        record.evicted += incidents.stats.evicted_indebted;
        record.note(decision, time);
        if incidents.fault.is_none() {
            let faulted = decision
                .rules
                .iter()
                .any(|rule| rule.effect == Effect::Uncharged);
            assert!(!faulted, "{decision:?}");
        }
    }
}

impl Record {
    fn note(&mut self, decision: &Decision, time: u64) {
        if decision.refusal.is_some() {
            self.refused += 1;
            let charged = decision
                .rules
                .iter()
                .any(|rule| rule.effect == Effect::Charged);
            assert!(!charged, "{decision:?}");
            return;
        }
        self.admitted += 1;
        for rule in &decision.rules {
            match rule.effect {
                Effect::Charged => {
                    let charges = self.charges.entry((rule.rule, rule.fingerprint));
                    charges.or_default().push(time);
                }
                Effect::Uncharged => self.uncharged += 1,
                effect => panic!("admitted, yet {effect:?}"),
            }
        }
    }

    /// No key was charged beyond what its limits allow in any span of time, under the plan that allows most.
    fn check(&mut self, workers: &[Worker]) -> Result<(), String> {
        assert_eq!(self.evicted, 0, "the table is large enough");
        for ((rule, key), charges) in &mut self.charges {
            charges.sort_unstable();
            let plans = workers.iter().map(|worker| worker.limiter.plan());
            let mut plans = plans.map(|plan| plan.rules[*rule].limits.as_slice());
            let first = plans.next().expect("a worker").to_vec();
            for limit in plans.fold(first, larger) {
                keeps(&limit, charges)
                    .map_err(|text| format!("rule {rule}, key {key:?}: {text}"))?;
            }
        }
        Ok(())
    }
}

/// Of two plans' limits, pair by pair, the larger numbers.
fn larger(mut limits: Vec<Limit>, others: &[Limit]) -> Vec<Limit> {
    for (limit, other) in limits.iter_mut().zip(others) {
        let requests = limit.requests.max(other.requests);
        let burst = limit.capacity().max(other.capacity());
        *limit = match limit.algorithm {
            Algorithm::TokenBucket(_) => bucket(requests, limit.per, burst).expect("it fills"),
            Algorithm::Window(window) => spanned(requests, limit.per, window.span, window.sliding),
            Algorithm::Closed => panic!("no limit is closed"),
        };
    }
    limits
}

/// Whether a limit allows these charges of 1, whose times are as exact as workers' clocks.
fn keeps(limit: &Limit, charges: &[u64]) -> Result<(), String> {
    for (first, begin) in charges.iter().enumerate() {
        for (last, end) in charges.iter().enumerate().skip(first) {
            let sum = u128::from((last - first + 1) as u64);
            let span = u128::from(end - begin + APART);
            let per = u128::from(limit.per.0);
            let allowed = match limit.algorithm {
                Algorithm::TokenBucket(bucket) => {
                    u128::from(bucket.capacity().get()) + span * u128::from(limit.requests) / per
                }
                Algorithm::Window(window) if window.sliding => {
                    2 * u128::from(limit.requests) * (span / per + 1)
                }
                _ => u128::from(limit.requests) * (span / per + 2),
            };
            if sum > allowed {
                return Err(format!("{sum} in {span} ns, {allowed} allowed: {limit:?}"));
            }
        }
    }
    Ok(())
}

/// What the workers run.
#[derive(Clone, Copy, Debug)]
enum Plans {
    First,
    Second,
    /// Every other worker what replaces the first, while its connections drain.
    ByTurns,
}

/// How a run goes.
#[derive(Clone, Copy, Debug)]
struct Course {
    dialect: Dialect,
    workers: u64,
    plans: Plans,
    faults: Faults,
    /// Share of calls in the middle of which another worker's request runs.
    crossings: f64,
    /// Whether a compare-and-swap always swaps: what must be found out.
    lawless: bool,
}

/// A minute of twelve clients, at about twice what they may.
fn run(seed: u64, course: Course) -> Record {
    let ran = attempt(seed, course);
    ran.unwrap_or_else(|violation| panic!("seed {seed}, {course:?}: {violation}"))
}

fn attempt(seed: u64, course: Course) -> Result<Record, String> {
    let mut chance = Chance::new(seed);
    let mut data = Memory::new(course.dialect);
    let mut workers: Vec<Worker> = (0..course.workers)
        .map(|worker| {
            Worker::join(
                course.plans.of(worker),
                course.dialect,
                &mut data,
                chance.below(APART),
            )
        })
        .collect();
    let mut record = Record::default();
    let mut time = 0.0;
    while time < Nanos(60 * Nanos::SECOND.0).0 as f64 {
        let pause = if chance.below(40) == 0 { 3e8 } else { 2e7 };
        time += chance.gap(pause);
        let worker = workers.remove(chance.below(course.workers) as usize);
        let (mut worker, client) = (worker, 1 + chance.below(12));
        let mut crossing = Crossing {
            data: &mut data,
            others: &mut workers,
            chance: &mut chance,
            course,
            time: time as u64,
            crossed: Vec::new(),
        };
        worker.request(time as u64, client, &mut crossing, &mut record);
        for crossed in std::mem::take(&mut crossing.crossed) {
            record.take(crossed);
        }
        workers.push(worker);
    }
    record.check(&workers)?;
    Ok(record)
}

impl Record {
    fn take(&mut self, other: Self) {
        for (key, charges) in other.charges {
            self.charges.entry(key).or_default().extend(charges);
        }
        self.admitted += other.admitted;
        self.refused += other.refused;
        self.uncharged += other.uncharged;
        self.evicted += other.evicted;
        self.crossed += other.crossed + 1;
    }
}

fn runs(seeds: u64, course: Course) -> Record {
    let mut total = Record::default();
    for seed in 0..seeds {
        for dialect in [Dialect::ZeroOverwrites, Dialect::ZeroInserts] {
            let mut record = run(seed, Course { dialect, ..course });
            record.charges.clear();
            total.take(record);
        }
    }
    total.crossed -= 2 * u32::try_from(seeds).expect("a few");
    println!(
        "{course:?}: {} admitted, {} refused, {} charges missing, {} crossings",
        total.admitted, total.refused, total.uncharged, total.crossed
    );
    total
}

const CALM: Course = Course {
    dialect: Dialect::ZeroOverwrites,
    workers: 4,
    plans: Plans::First,
    faults: Faults::NONE,
    crossings: 0.0,
    lawless: false,
};

#[test]
fn workers_keep_the_limits_together() {
    for workers in [1, 2, 4] {
        let total = runs(4, Course { workers, ..CALM });
        assert_eq!(total.uncharged, 0);
        assert!(total.refused > 1_000 && total.admitted > 1_000);
    }
}

#[test]
fn as_many_workers_admit_what_one_does() {
    for seed in 0..4 {
        let [one, many] = [1, 4].map(|workers| {
            let record = run(seed, Course { workers, ..CALM });
            record.admitted as f64
        });
        // Not the same requests: chance goes another way. But as many.
        assert!((one - many).abs() < 0.1 * one, "seed {seed}: {one}, {many}");
    }
}

#[test]
fn workers_that_cross_keep_the_limits() {
    let course = Course {
        crossings: 0.3,
        ..CALM
    };
    let total = runs(8, course);
    assert!(total.crossed > 1_000 && total.uncharged == 0);
}

#[test]
fn a_host_that_fails_costs_charges_that_are_counted() {
    let course = Course {
        crossings: 0.1,
        faults: Faults {
            reads: 0.02,
            writes: 0.02,
        },
        ..CALM
    };
    let total = runs(8, course);
    assert!(total.uncharged > 100 && total.crossed > 100);
}

#[test]
fn a_seed_decides_everything() {
    let course = Course {
        crossings: 0.2,
        ..CALM
    };
    let [first, second] = [0, 1].map(|_| run(3, course));
    assert_eq!(first.charges, second.charges);
    assert_eq!(first.refused, second.refused);
}

#[test]
fn a_host_that_does_not_compare_is_found_out() {
    let course = Course {
        crossings: 0.3,
        lawless: true,
        ..CALM
    };
    assert!((0..4).any(|seed| attempt(seed, course).is_err()));
}
