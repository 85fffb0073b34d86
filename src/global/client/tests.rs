use super::*;
use crate::config;
use crate::global::lease::pots::Stats;
use crate::global::wire::Descriptor;
use crate::local::store::memory::Memory;
use crate::plan::Plan;
use crate::units::Now;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Two workers of one proxy.
struct World {
    plan: Plan,
    data: Memory,
    stats: Stats,
    clients: [Client; 2],
    now: Now,
}

impl World {
    fn new() -> Self {
        let plan = r#"{"limiter": {"engine": "envoy_ratelimit", "cluster": "c", "proxies": 2, "max_parked": 1,
                "cold_keys_per_second": 1, "breaker": {"failures": 2}},
            "rules": [{"name": "a", "global": {"mode": "per_request"}, "limits": [{"requests": 9, "per": "1m"}]}]}"#;
        let plan = config::load(plan.as_bytes(), &|_| None).unwrap();
        let dialect = Dialect::ZeroOverwrites;
        let service = plan.service.as_ref().unwrap();
        Self {
            clients: [0, 1].map(|_| Client::new(service, dialect, Caller::Root)),
            plan,
            data: Memory::new(dialect),
            stats: Stats::default(),
            now: Now::default(),
        }
    }

    fn later(&mut self, millis: u64) {
        let span = Nanos(millis * Nanos::MILLISECOND.0);
        self.now.monotonic = self.now.monotonic.plus(span);
    }

    fn with<T>(
        &mut self,
        worker: usize,
        act: impl FnOnce(&mut Client, &Service, &mut Books<'_, Memory>) -> T,
    ) -> T {
        let mut books = Books {
            plan: &self.plan,
            pots: None,
            data: &mut self.data,
            now: self.now,
            stats: &mut self.stats,
        };
        let service = self.plan.service.as_ref().unwrap();
        act(&mut self.clients[worker], service, &mut books)
    }

    fn parks(&mut self, worker: usize, cold: bool) -> Parks {
        self.with(worker, |client, service, books| {
            client.parks(service, cold, books.now.monotonic, books.data)
        })
    }

    /// What a worker sends in one turn, none of which can be begun: the hits of each call, and whether those who wait
    /// are let go.
    fn turn(&mut self, worker: usize) -> (Vec<u32>, bool) {
        self.with(worker, |client, service, books| {
            let (mut turn, mut sent) = (Turn::default(), Vec::new());
            while let Some(asks) = client.next_call(&mut turn, service, books) {
                sent.extend(asks.iter().map(|asking| asking.hits));
                let _ = client.not_begun(&mut turn, asks, service, books);
            }
            client.conclude(&turn);
            (sent, client.exchange.parking.is_looking())
        })
    }

    /// Lets a worker's calls fail until the breaker opens.
    fn open(&mut self, worker: usize) {
        for stream in 0..2 {
            let since = self.now.monotonic;
            let parking = &mut self.clients[worker].exchange.parking;
            parking.park(stream, Vec::new(), vec![question()], since);
            assert_eq!(self.turn(worker), (vec![1], true));
            self.clients[worker].exchange.parking.leave(stream);
        }
    }
}

fn question() -> Question {
    Question {
        rule: 0,
        limit: 0,
        descriptor: Descriptor::default(),
        pot: None,
    }
}

#[test]
fn no_more_wait_than_may_and_first_calls_are_few() {
    let mut world = World::new();
    assert_eq!(world.parks(0, true), Parks::Yes);
    assert_eq!(world.parks(0, true), Parks::No);
    assert_eq!(world.parks(0, false), Parks::Yes);
    let since = world.now.monotonic;
    let parking = &mut world.clients[0].exchange.parking;
    parking.park(1, Vec::new(), vec![question()], since);
    assert_eq!(world.parks(0, false), Parks::No);
}

#[test]
fn a_breaker_that_one_worker_opens_is_open_for_all() {
    let mut world = World::new();
    world.open(0);
    for worker in [0, 1] {
        assert_eq!(world.parks(worker, false), Parks::No);
        assert!(
            world.clients[worker].is_asking(world.now.monotonic),
            "it is to be found out"
        );
        assert_eq!(world.turn(worker), (vec![], true));
    }
}

#[test]
fn who_has_nothing_to_probe_with_leaves_it_to_who_has() {
    let mut world = World::new();
    world.open(0);
    world.later(250);
    assert_eq!(world.turn(1), (vec![], true));
    // It is not taken for under way.
    assert_eq!(world.parks(1, false), Parks::Probes);
    assert_eq!(world.turn(0), (vec![0], true));
}

#[test]
fn one_probe_is_under_way() {
    let mut world = World::new();
    world.open(0);
    world.later(250);
    world.clients[1].exchange.know(question());
    let sent = world.with(0, |client, service, books| {
        client.next_call(&mut Turn::default(), service, books)
    });
    assert_eq!(sent.unwrap().len(), 1);
    // The other had seen before that it was time for one.
    let mut seen = Turn {
        permit: Some(Permit::Probe),
        ..Turn::default()
    };
    let sent = world.with(1, |client, service, books| {
        client.next_call(&mut seen, service, books)
    });
    assert!(sent.is_none());
}

#[test]
fn one_worker_tells_of_a_rule_without_a_limit_and_once() {
    let mut world = World::new();
    let mut unmatched = |worker: usize, call: u32| {
        world.with(worker, |client, service, books| {
            let question = Question::default();
            client
                .exchange
                .parking
                .park(call, Vec::new(), vec![question], books.now.monotonic);
            let mut turn = Turn::default();
            let asks = client.next_call(&mut turn, service, books).unwrap();
            client.begun(call, asks, books.now.monotonic);
            let told = Told {
                granted: true,
                counter: None,
            };
            let answer = Ok(vec![Ok(told)]);
            let (heard, _) = client.answered(call, answer, service, books);
            heard.unmatched.len()
        })
    };
    assert_eq!(
        [unmatched(0, 1), unmatched(0, 2), unmatched(1, 3)],
        [1, 0, 0]
    );
}
