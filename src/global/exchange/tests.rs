use super::*;
use crate::config;
use crate::engine::Met;
use crate::engine::MetKey;
use crate::global::lease::pot::Spend;
use crate::global::lease::pots::{Pots, Stats};
use crate::global::parking::Batch;
use crate::global::wire::{Counter, Descriptor, Reset};
use crate::local::store::Dialect;
use crate::local::store::memory::Memory;
use crate::plan::{MaxWait, Plan};
use crate::units::{Now, UnixTime};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const A_SECOND: MaxWait = MaxWait {
    lease: Nanos::SECOND,
    per_request: Nanos::SECOND,
};

const POT: u64 = 0x1234_5678_9abc_def0;

struct World {
    plan: Plan,
    pots: Pots,
    data: Memory,
    stats: Stats,
    exchange: Exchange,
    now: Now,
}

impl World {
    /// A rule of 1,000 a minute by leases, and one of 10 an hour that asks for each request.
    fn new() -> Self {
        Self::of("envoy_ratelimit")
    }

    fn of(engine: &str) -> Self {
        let plan = format!(
            r#"{{"limiter": {{"engine": "{engine}", "cluster": "c", "proxies": 2}},
            "rules": [
                {{"name": "a", "global": {{}}, "limits": [{{"requests": 1000, "per": "1m"}}]}},
                {{"name": "b", "global": {{"mode": "per_request"}}, "key": ["path"],
                    "limits": [{{"requests": 10, "per": "1h"}}]}}]}}"#
        );
        let dialect = Dialect::ZeroOverwrites;
        Self {
            plan: config::load(plan.as_bytes(), &|_| None).unwrap(),
            pots: Pots::new("d", 1_024, dialect),
            data: Memory::new(dialect),
            stats: Stats::default(),
            exchange: Exchange::new(Caller::Root),
            now: Now {
                monotonic: Instant(Nanos::SECOND.0),
                unix: UnixTime(3_600 * Nanos::SECOND.0),
            },
        }
    }

    fn park(&mut self, stream: u32, questions: Vec<Question>) {
        let met = Met {
            rule: 0,
            key: MetKey::Counted(1),
        };
        let since = self.now.monotonic;
        self.exchange
            .parking
            .park(stream, vec![met], questions, since);
    }

    fn with<T>(
        &mut self,
        act: impl FnOnce(&mut Exchange, &Plan, &mut Books<'_, Memory>) -> T,
    ) -> T {
        let mut books = Books {
            plan: &self.plan,
            pots: Some(&self.pots),
            data: &mut self.data,
            now: self.now,
            stats: &mut self.stats,
        };
        act(&mut self.exchange, &self.plan, &mut books)
    }

    /// The next call: the hits of each ask, and whether some can be served without.
    fn call(&mut self, number: u32) -> (Vec<u32>, bool) {
        let (asks, servable) = self
            .with(|exchange, plan, books| exchange.prepare(plan.service.as_ref().unwrap(), books));
        let hits = asks.iter().map(|asking| asking.hits).collect();
        if !asks.is_empty() {
            self.exchange.begun(number, asks, self.now.monotonic);
        }
        (hits, servable)
    }

    fn answer(&mut self, number: u32, told: Result<Vec<Result<Told, Fault>>, Fault>) -> Heard {
        self.now.monotonic = self.now.monotonic.plus(Nanos::MILLISECOND);
        self.with(|exchange, _, books| exchange.answered(number, told, books))
    }

    /// The answer to a call of requests by themselves.
    fn told(&mut self, told: &[Told]) -> Heard {
        for (stream, _) in (90..).zip(told) {
            self.park(stream, vec![per_request()]);
        }
        let _ = self.call(9);
        self.answer(9, Ok(told.iter().copied().map(Ok).collect()))
    }

    /// The streams about which something can be decided, and whether each may wait on.
    fn ready(&mut self) -> Vec<(u32, bool)> {
        let mut ready = Vec::new();
        let (parking, now) = (&mut self.exchange.parking, self.now.monotonic);
        parking.look();
        while let Some(next) = parking.next_ready(&mut Batch::default(), now, A_SECOND) {
            ready.push((next.parked.stream, next.asked().may_wait));
        }
        ready
    }

    /// Takes one of what is leased.
    fn spend(&mut self) {
        let (now, data, stats) = (self.now.monotonic, &mut self.data, &mut self.stats);
        let spend = self
            .pots
            .change(data, POT, now, stats, |pot| pot.spend(now, 1));
        assert!(matches!(spend, Ok(Some(Spend::Spent { .. }))));
    }

    fn tokens(&mut self) -> u32 {
        let loaded = self.pots.load(&mut self.data, POT, self.now.monotonic);
        loaded.unwrap().pot.tokens()
    }
}

fn leased() -> Question {
    Question {
        rule: 0,
        limit: 0,
        descriptor: Descriptor::default(),
        pot: Some(POT),
    }
}

fn per_request() -> Question {
    Question {
        rule: 1,
        pot: None,
        ..leased()
    }
}

fn granted(limit: u32, remaining: u32) -> Told {
    Told {
        granted: true,
        counter: Some(Counter {
            limit,
            per: None,
            remaining: Some(remaining),
            reset: Some(Reset::RoundedUp(Nanos(60 * Nanos::SECOND.0))),
        }),
    }
}

#[test]
fn all_who_wait_are_asked_for_in_one_call_and_once() {
    let mut world = World::new();
    world.park(1, vec![leased()]);
    world.park(2, vec![leased(), per_request()]);
    world.park(3, vec![per_request()]);
    // A debit for each that asks by itself, then one for the pot.
    assert_eq!(world.call(7), (vec![1, 1, 2], false));
    assert_eq!(world.call(8), (vec![], false));
    let told = [granted(10, 5), granted(10, 4), granted(1_000, 900)];
    let heard = world.answer(7, Ok(told.map(Ok).to_vec()));
    assert_eq!((heard.fault, heard.event()), (None, Event::Answered));
    assert!(heard.unmatched.is_empty() && heard.disagrees.is_empty());
    assert_eq!(world.tokens(), 2);
    assert_eq!(world.ready(), [(1, true), (2, true), (3, true)]);
    assert!(world.answer(7, Err(Fault::Timeout)).fault.is_none());
}

#[test]
fn a_pot_that_needs_nothing_holds_up_no_other() {
    let mut world = World::of("limitador");
    world.park(1, vec![leased()]);
    assert_eq!(world.call(7), (vec![1], false));
    let _ = world.answer(7, Ok(vec![Ok(granted(1_000, 900))]));
    // Of the one there is enough now, of the other nothing, and a call asks for one only.
    let other = Question {
        pot: Some(POT + 1),
        ..leased()
    };
    world.park(2, vec![leased(), other]);
    assert_eq!(world.call(8), (vec![1], true));
}

#[test]
fn what_is_left_at_the_end_is_asked_for_at_once_but_one_by_one() {
    for (engine, calls) in [
        ("envoy_ratelimit", vec![vec![1, 1, 1]]),
        ("limitador", vec![vec![1]; 3]),
    ] {
        let mut world = World::of(engine);
        world.park(1, vec![leased()]);
        let _ = world.call(7);
        let _ = world.answer(7, Ok(vec![Ok(granted(1_000, 3))]));
        world.exchange.parking.leave(1);
        world.spend();
        for stream in 2..7 {
            world.park(stream, vec![leased()]);
        }
        for (number, hits) in (8..).zip(calls) {
            assert_eq!(world.call(number), (hits, false), "{engine}");
        }
        // Three are left, and asked for: the others are told by the answers.
        assert_eq!(world.call(20), (vec![], false), "{engine}");
    }
}

#[test]
fn a_lease_that_runs_out_is_asked_for_by_one_worker_at_a_time() {
    let mut world = World::new();
    world.park(1, vec![leased()]);
    let _ = world.call(7);
    let _ = world.answer(7, Ok(vec![Ok(granted(1_000, 900))]));
    assert_eq!(world.ready(), [(1, true)]);
    let now = world.now.monotonic;
    world.spend();
    assert!(!world.exchange.is_wanting(now));
    for _ in 0..2 {
        world.exchange.want(leased(), &world.plan, now);
    }
    // Another may run out in the meantime, and be asked for by the same call.
    let due = now.plus(Nanos(300 * Nanos::MILLISECOND.0 / 32));
    assert!(!world.exchange.is_wanting(now) && world.exchange.is_wanting(due));
    let (hits, _) = world.call(8);
    assert_eq!(hits.len(), 1);
    assert!(hits[0] > 0 && !world.exchange.is_wanting(due));
    world.exchange.want(leased(), &world.plan, now);
    assert_eq!(world.call(9), (vec![], false));
}

#[test]
fn a_call_that_fails_lets_nobody_wait_and_what_it_asked_stays_in_doubt() {
    for fault in [Fault::Timeout, Fault::Count] {
        let mut world = World::new();
        world.park(1, vec![leased()]);
        world.park(2, vec![per_request()]);
        let _ = world.call(7);
        let told = match fault {
            Fault::Count => Ok(vec![Ok(granted(10, 5))]),
            fault => Err(fault),
        };
        let heard = world.answer(7, told);
        assert_eq!((heard.fault, heard.event()), (Some(fault), Event::Failed));
        assert_eq!(world.ready(), [(1, false), (2, false)]);
        assert_eq!(world.tokens(), 0);
    }
}

#[test]
fn one_that_fails_at_some_of_what_it_is_asked_is_there() {
    let mut world = World::new();
    world.park(1, vec![per_request()]);
    world.park(2, vec![per_request()]);
    let _ = world.call(7);
    let heard = world.answer(7, Ok(vec![Err(Fault::Item), Ok(granted(10, 5))]));
    assert_eq!(heard.fault, None);
    assert_eq!(world.ready(), [(1, false), (2, true)]);
    world.park(3, vec![per_request()]);
    let _ = world.call(8);
    let heard = world.answer(8, Ok(vec![Err(Fault::Item)]));
    assert_eq!(
        (heard.fault, heard.event()),
        (Some(Fault::Item), Event::Answered)
    );
    assert_eq!(world.ready(), [(3, false)]);
}

#[test]
fn a_call_that_is_not_begun_counts_nothing() {
    let mut world = World::new();
    world.park(1, vec![leased()]);
    let (asks, _) =
        world.with(|exchange, plan, books| exchange.prepare(plan.service.as_ref().unwrap(), books));
    world.with(|exchange, _, books| exchange.not_begun(asks, books));
    assert_eq!(world.ready(), [(1, false)]);
    world.park(2, vec![leased()]);
    assert_eq!(world.call(8), (vec![1], false));
}

#[test]
fn a_service_without_such_a_limit_lets_pass_who_waits_and_leases_nothing() {
    let mut world = World::new();
    world.park(1, vec![leased()]);
    let _ = world.call(7);
    let unknown = Told {
        granted: true,
        counter: None,
    };
    let heard = world.answer(7, Ok(vec![Ok(unknown)]));
    assert_eq!(heard.unmatched, [leased()]);
    let parking = &mut world.exchange.parking;
    let ready = parking
        .next_ready(&mut Batch::default(), world.now.monotonic, A_SECOND)
        .unwrap();
    let direct = Direct {
        pot: POT,
        quota: None,
    };
    assert_eq!(ready.asked().direct, [direct]);
    assert_eq!((world.tokens(), world.stats.leased), (0, 0));
}

#[test]
fn an_entry_that_admits_anything_is_leased_and_never_probed() {
    let mut world = World::new();
    world.now.unix = world.now.unix.plus(Nanos::SECOND);
    world.park(1, vec![leased()]);
    let _ = world.call(7);
    let unlimited = Told {
        granted: true,
        counter: Some(Counter::UNLIMITED),
    };
    let heard = world.answer(7, Ok(vec![Ok(unlimited)]));
    assert!(heard.unmatched.is_empty() && heard.disagrees.is_empty());
    assert_eq!((world.tokens(), world.stats.leased), (1, 1));
    assert_eq!(world.exchange.known, None);
}

#[test]
fn a_service_with_another_limit_is_told_of_once_and_obeyed() {
    let mut world = World::new();
    world.park(1, vec![leased(), per_request()]);
    let _ = world.call(7);
    let told = [granted(20, 19), granted(500, 499)];
    let heard = world.answer(7, Ok(told.map(Ok).to_vec()));
    let rules: Vec<usize> = heard
        .disagrees
        .iter()
        .map(|(asked, _)| asked.rule)
        .collect();
    assert_eq!(rules, [1, 0]);
    assert_eq!(world.tokens(), 1);
    assert!(world.told(&[granted(20, 18)]).disagrees.is_empty());
}

/// Some keys have the numbers of the document, others those of their tier.
#[test]
fn tiers_of_a_service_are_no_disagreement() {
    let mut world = World::new();
    assert!(world.told(&[granted(10, 9)]).disagrees.is_empty());
    assert!(world.told(&[granted(5_000, 4_999)]).disagrees.is_empty());
}

#[test]
fn of_each_rule_a_descriptor_without_a_limit_is_told_of_once() {
    let mut world = World::new();
    world.park(1, vec![leased(), per_request()]);
    let _ = world.call(7);
    let unmatched = Told {
        granted: true,
        counter: None,
    };
    let heard = world.answer(7, Ok(vec![Ok(unmatched); 2]));
    assert_eq!(heard.unmatched, [per_request(), leased()]);
    assert!(world.told(&[unmatched]).unmatched.is_empty());
}

#[test]
fn a_probe_looks_at_what_was_last_answered_and_debits_nothing() {
    let mut world = World::new();
    assert!(world.exchange.probe().is_none());
    world.park(1, vec![leased()]);
    let _ = world.call(7);
    let _ = world.answer(7, Ok(vec![Ok(granted(1_000, 999))]));
    let probe = world.exchange.probe().unwrap();
    assert_eq!((&probe.question, probe.hits), (&leased(), 0));
    world
        .exchange
        .begun(8, vec![probe.clone()], world.now.monotonic);
    let heard = world.answer(8, Ok(vec![Ok(granted(1_000, 999))]));
    assert_eq!(heard.event(), Event::ProbeAnswered);
    world.exchange.begun(9, vec![probe], world.now.monotonic);
    assert_eq!(
        world.answer(9, Err(Fault::Timeout)).event(),
        Event::ProbeFailed
    );
    assert_eq!((world.tokens(), world.stats.leased), (1, 1));
}
