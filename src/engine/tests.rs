use super::*;
use crate::config;
use crate::decision::{Decision, Reason, Refusal};
use crate::facts::given::Given;
use crate::local::store::Dialect;
use crate::local::store::memory::Memory;
use crate::units::{Instant, Nanos, Now, Wait};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A request of which only the address is known, and the route cannot be.
fn from(peer: &'static str) -> Given {
    let route = Err(Unreadable(7));
    Given {
        route,
        ..Given::from(peer)
    }
}

struct World {
    engine: Engine,
    data: Memory,
    incidents: Incidents,
}

impl World {
    fn new(rules: &str) -> Self {
        let plan = format!(r#"{{"rules": [{rules}]}}"#);
        let plan = config::load(plan.as_bytes(), &|_| None).unwrap();
        let mut data = Memory::new(Dialect::ZeroOverwrites);
        let mut engine = Engine::new(plan);
        engine.join(&Founding::join(&mut data, [1; 16]).unwrap());
        (data.reads, data.writes) = (0, 0);
        Self {
            engine,
            data,
            incidents: Incidents::default(),
        }
    }

    fn select(&mut self, peer: &'static str) -> (Vec<Met>, Option<Unreadable>) {
        let mut met = Vec::new();
        let mut request = from(peer);
        let mut facts = Facts::new(&mut request);
        let unreadable = self.engine.select(&mut facts, &mut met, |_| ());
        (met, unreadable)
    }

    fn ask(&mut self, peer: &'static str, millis: u64) -> Decision {
        let (met, _) = self.select(peer);
        let (data, incidents) = (&mut self.data, &mut self.incidents);
        match self
            .engine
            .decide(&met, Asked::NOTHING, now(millis), data, incidents)
        {
            Outcome::Decided(decision) => decision,
            Outcome::Park { .. } => panic!("no rule is the service's"),
        }
    }

    fn calls(&self) -> (u32, u32) {
        (self.data.reads, self.data.writes)
    }
}

fn now(millis: u64) -> Now {
    Now {
        monotonic: Instant(Nanos::SECOND.0 + millis * Nanos::MILLISECOND.0),
        ..Now::default()
    }
}

fn effects(decision: &Decision) -> Vec<Effect> {
    decision.rules.iter().map(|rule| rule.effect).collect()
}

fn limited(decision: &Decision) -> Option<(usize, Wait)> {
    match decision.refusal?.reason {
        Reason::Limited { wait, .. } => Some((decision.refusal?.rule, wait)),
        _ => None,
    }
}

const CLIENT: &str =
    r#"{"name": "c", "key": ["client_ip"], "limits": [{"requests": 2, "per": "1s"}]}"#;

#[test]
fn a_limit_refuses_until_the_instant_it_tells() {
    let mut world = World::new(CLIENT);
    for _ in 0..2 {
        assert!(world.ask("192.0.2.1", 0).refusal.is_none());
    }
    assert_eq!(world.calls(), (2, 2));
    let wait = |millis: u64| Some((0, Wait::After(Nanos(millis * Nanos::MILLISECOND.0))));
    assert_eq!(limited(&world.ask("192.0.2.1", 0)), wait(500));
    assert_eq!(limited(&world.ask("192.0.2.1", 499)), wait(1));
    assert_eq!(world.calls(), (4, 2));
    assert!(world.ask("192.0.2.2", 499).refusal.is_none());
    assert!(world.ask("192.0.2.1", 500).refusal.is_none());
}

#[test]
fn a_limit_of_nothing_refuses_for_ever_and_charges_nothing() {
    let mut world = World::new(&format!(
        r#"{CLIENT}, {{"name": "shut", "limits": [{{"requests": 0, "per": "1s"}}]}}"#
    ));
    let decision = world.ask("192.0.2.1", 0);
    assert_eq!(limited(&decision), Some((1, Wait::Never)));
    assert_eq!(world.calls(), (0, 0));
    assert_eq!(effects(&decision), [Effect::Passed, Effect::Refused]);
}

#[test]
fn a_missing_key_that_is_denied_charges_nobody() {
    let mut world = World::new(&format!(
        r#"{CLIENT}, {{"name": "k", "key": [{{"header": "x"}}], "on_missing_key": "deny",
            "limits": [{{"requests": 2, "per": "1s"}}]}}"#
    ));
    let decision = world.ask("192.0.2.1", 0);
    let reason = Reason::MissingKey;
    assert_eq!(decision.refusal, Some(Refusal { rule: 1, reason }));
    assert_eq!(world.calls(), (0, 0));
}

#[test]
fn a_store_that_fails_admits_uncharged_or_denies_as_each_rule_says() {
    let mut world = World::new(CLIENT);
    world.data.failing = Some((b'w', Fault::Host(2)));
    let decision = world.ask("192.0.2.1", 0);
    assert!(decision.refusal.is_none());
    assert_eq!(decision.rules[0].effect, Effect::Uncharged);
    assert_eq!(world.incidents.fault, Some(Fault::Host(2)));

    let denying = CLIENT.replace(r#""key""#, r#""on_fault": "deny", "key""#);
    let mut world = World::new(&denying);
    world.data.failing = Some((b'w', Fault::Host(2)));
    let decision = world.ask("192.0.2.1", 0);
    let reason = Reason::Unavailable;
    assert_eq!(decision.refusal, Some(Refusal { rule: 0, reason }));
    assert_eq!(effects(&decision), [Effect::Denied]);
    world.data.failing = None;
    assert!(world.ask("192.0.2.1", 0).refusal.is_none());
}

/// A rule that needs what [`from`] does not give.
const BY_ROUTE: &str =
    r#"{"name": "r", "key": ["route"], "limits": [{"requests": 2, "per": "1s"}]}"#;

#[test]
fn a_request_that_cannot_be_read_is_judged_by_on_fault_and_never_passes_unnoticed() {
    let mut world = World::new(&format!("{CLIENT}, {BY_ROUTE}"));
    let (met, unreadable) = world.select("192.0.2.1");
    assert_eq!(unreadable, Some(Unreadable(7)));
    assert_eq!(met[1].key, MetKey::Unreadable);
    let decision = world.ask("192.0.2.1", 0);
    assert!(decision.refusal.is_none());
    assert_eq!(effects(&decision), [Effect::Charged, Effect::Uncharged]);

    let denying = BY_ROUTE.replace(r#""key""#, r#""on_fault": "deny", "key""#);
    let mut world = World::new(&format!("{CLIENT}, {denying}"));
    let decision = world.ask("192.0.2.1", 0);
    let reason = Reason::Unavailable;
    assert_eq!(decision.refusal, Some(Refusal { rule: 1, reason }));
    assert_eq!(effects(&decision), [Effect::Passed, Effect::Denied]);
    assert_eq!(world.calls(), (0, 0));
}

#[test]
fn without_counters_each_rule_does_as_its_on_fault_says() {
    let shut = r#"{"name": "shut", "limits": [{"requests": 0, "per": "1s"}]}"#;
    let load = |rules: &str| {
        let plan = format!(r#"{{"rules": [{rules}]}}"#);
        Engine::new(config::load(plan.as_bytes(), &|_| None).unwrap())
    };
    let denying = CLIENT.replace(r#""key""#, r#""on_fault": "deny", "key""#);
    let also = denying.replace(r#""c""#, r#""d""#);
    let mut met = Vec::new();
    for (rules, expected) in [
        (CLIENT.to_owned(), vec![Effect::Uncharged]),
        // A store that fails is no limit that refuses, whichever rule is told to be the reason.
        (format!("{denying}, {also}"), vec![Effect::Denied; 2]),
        // What needs no counters needs none.
        (
            format!("{CLIENT}, {shut}"),
            vec![Effect::Passed, Effect::Refused],
        ),
    ] {
        let engine = load(&rules);
        engine.select(&mut Facts::new(&mut from("192.0.2.1")), &mut met, |_| ());
        // No fingerprint under a key that everybody knows.
        assert!(met.iter().all(|met| met.fingerprint().is_none()));
        assert_eq!(
            effects(&engine.decide_without_counters(&met, Asked::NOTHING)),
            expected
        );
    }
}

#[test]
fn a_rule_that_is_skipped_for_want_of_a_key_says_so() {
    let by_header = CLIENT.replace(r#""client_ip""#, r#"{"header": "x"}"#);
    let elsewhere = r#"{"name": "e", "match": {"methods": ["GET"]}, "key": [{"header": "x"}],
        "limits": [{"requests": 1, "per": "1s"}]}"#;
    let plan = format!(r#"{{"rules": [{elsewhere}, {by_header}]}}"#);
    let engine = Engine::new(config::load(plan.as_bytes(), &|_| None).unwrap());
    let (mut met, mut skipped) = (Vec::new(), Vec::new());
    engine.select(&mut Facts::new(&mut from("192.0.2.1")), &mut met, |rule| {
        skipped.push(rule);
    });
    assert!(met.is_empty());
    assert_eq!(skipped, [1]);
}

#[test]
fn an_unlimited_rule_still_asks_for_its_key() {
    let rule = r#"{"name": "k", "key": [{"header": "x"}], "on_missing_key": "deny", "limits": "unlimited"}"#;
    let plan = format!(r#"{{"rules": [{rule}]}}"#);
    let engine = Engine::new(config::load(plan.as_bytes(), &|_| None).unwrap());
    let mut met = Vec::new();
    engine.select(&mut Facts::new(&mut from("192.0.2.1")), &mut met, |_| ());
    let decision = engine.decide_without_counters(&met, Asked::NOTHING);
    let reason = Reason::MissingKey;
    assert_eq!(decision.refusal, Some(Refusal { rule: 0, reason }));
}

#[test]
fn the_longest_wait_is_the_one_that_is_told() {
    let mut world = World::new(
        r#"{"name": "s", "limits": [{"requests": 1, "per": "1s"}]},
           {"name": "m", "limits": [{"requests": 1, "per": "1m"}]}"#,
    );
    assert!(world.ask("192.0.2.1", 0).refusal.is_none());
    let decision = world.ask("192.0.2.1", 0);
    let minute = Nanos(60 * Nanos::SECOND.0);
    assert_eq!(limited(&decision), Some((1, Wait::After(minute))));
    assert!(decision.quotas.iter().all(|quota| quota.violated.is_some()));
    // One rule's wait is over; the other still refuses.
    let decision = world.ask("192.0.2.1", 1_500);
    assert_eq!(limited(&decision).unwrap().0, 1);
    assert_eq!(effects(&decision), [Effect::Passed, Effect::Refused]);
}

#[test]
fn keys_that_owe_are_counted() {
    let mut world = World::new(CLIENT);
    for peer in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        let _ = world.ask(peer, 0);
    }
    let all = u32::MAX;
    let tracked = world.engine.tracked_keys(&mut world.data, now(0), 5, all);
    assert_eq!(tracked, 3);
    let tracked = world.engine.tracked_keys(&mut world.data, now(600), 5, all);
    assert_eq!(tracked, 0);
}
