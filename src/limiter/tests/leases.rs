//! Requests that meet a rule of which leases are taken.

use super::*;
use crate::engine::Direct;
use crate::global::caller::Caller;
use crate::global::exchange::{Books, Exchange};
use crate::global::lease::pots::Stats;
use crate::global::parking::Batch;
use crate::global::wire::{Counter, Reset, Told};
use crate::local::store::Fault;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MINUTE: Nanos = Nanos(60 * Nanos::SECOND.0);

/// Two an hour here for each address, and leases of 1,000 a minute in two proxies.
fn world(on_error: &str) -> World {
    World::with(&format!(
        r#"{{"limiter": {{"engine": "envoy_ratelimit", "cluster": "c", "proxies": 2, "on_error": "{on_error}"}},
            "rules": [
                {{"name": "here", "key": ["client_ip"], "limits": [{{"requests": 2, "per": "1h"}}]}},
                {{"name": "all", "global": {{}}, "limits": [{{"requests": 1000, "per": "1m"}}]}}]}}"#
    ))
}

impl World {
    /// What a debit of `waiting` is answered with; gives what is granted beside the pot.
    fn debit(&mut self, waiting: u32, granted: bool, remaining: u32) -> Option<Direct> {
        let met = self.met("192.0.2.9");
        let mut request = Given::from("192.0.2.9");
        let mut exchange = Exchange::new(Caller::Root);
        for stream in 0..waiting {
            let questions = self.limiter.questions(&met, &mut Facts::new(&mut request));
            exchange
                .parking
                .park(stream, met.clone(), questions, NOW.monotonic);
        }
        let plan = self.limiter.plan();
        let mut stats = Stats::default();
        let mut books = Books {
            plan,
            pots: self.limiter.engine().pots(),
            data: &mut self.data,
            now: NOW,
            stats: &mut stats,
        };
        let (asks, _) = exchange.prepare(plan.service.as_ref().unwrap(), &mut books);
        exchange.begun(1, asks, NOW.monotonic);
        let told = Told {
            granted,
            counter: Some(Counter {
                limit: 1_000,
                per: None,
                remaining: Some(remaining),
                reset: Some(Reset::RoundedUp(MINUTE)),
            }),
        };
        let _ = exchange.answered(1, Ok(vec![Ok(told)]), &mut books);
        let (parking, batch) = (&mut exchange.parking, &mut Batch::default());
        let max_wait = plan.service.as_ref()?.max_wait;
        let ready = parking.next_ready(batch, NOW.monotonic, max_wait)?;
        ready.asked().direct.first().copied()
    }
}

#[test]
fn what_is_leased_is_spent_without_waiting_and_no_more() {
    let mut world = world("deny");
    assert_eq!(world.ask("192.0.2.1"), None);
    assert_eq!(world.debit(3, true, 900), None);
    for remaining in [902, 901] {
        let decision = world.ask("192.0.2.1").unwrap();
        assert_eq!(effects(&decision), [Effect::Charged; 2]);
        assert_eq!(decision.quotas[1].remaining, remaining);
        assert_eq!(decision.quotas[1].reset, MINUTE);
    }
    // Refused here, it takes nothing of what is shared.
    let refused = world.ask("192.0.2.1").unwrap();
    assert_eq!(effects(&refused), [Effect::Refused, Effect::Passed]);
    assert!(world.ask("192.0.2.2").unwrap().refusal.is_none());
    assert_eq!(world.ask("192.0.2.3"), None);
}

#[test]
fn a_lease_that_runs_out_says_so() {
    let mut world = world("deny");
    let _ = world.debit(4, true, 900);
    let low = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|peer| {
        let _ = world.ask(peer);
        world.incidents.low.len()
    });
    assert_eq!(low, [0, 1, 1]);
}

#[test]
fn whom_the_service_refuses_waits_until_its_window_ends() {
    let mut world = world("local");
    let _ = world.debit(1, false, 0);
    let decision = world.ask("192.0.2.1").unwrap();
    assert_eq!(effects(&decision), [Effect::Passed, Effect::Refused]);
    let Reason::Limited { wait, .. } = decision.refusal.unwrap().reason else {
        panic!("a limit refuses");
    };
    assert_eq!(wait, Wait::After(MINUTE));
}

#[test]
fn without_the_service_on_error_holds_once_the_lease_is_spent() {
    for (on_error, admitted, effect) in [
        ("local", 451, Effect::Refused),
        ("allow", 501, Effect::Uncharged),
        ("deny", 1, Effect::Denied),
    ] {
        let mut world = world(on_error);
        let _ = world.debit(1, true, 900);
        let mut decisions = (0..=500).map(|client: u32| {
            let peer: &'static str =
                Box::leak(format!("10.0.{}.{}", client / 200, client % 200).into());
            world.resume(peer, Asked::FAILED)
        });
        let decisions: Vec<Decision> = decisions.by_ref().collect();
        let passed = decisions
            .iter()
            .filter(|decision| decision.refusal.is_none());
        assert_eq!(passed.count(), admitted, "{on_error}");
        assert_eq!(effects(decisions.last().unwrap())[1], effect, "{on_error}");
        assert_eq!(effects(&decisions[0])[1], Effect::Charged);
    }
}

#[test]
fn what_is_granted_to_a_request_by_name_is_not_taken_from_the_pot() {
    let mut world = world("deny");
    let met = world.met("192.0.2.1");
    let mut request = Given::from("192.0.2.1");
    let questions = world.limiter.questions(&met, &mut Facts::new(&mut request));
    let quota = Quota {
        rule: 1,
        limit: 0,
        remaining: 7,
        reset: MINUTE,
        violated: None,
        counted: None,
    };
    for (quota, effect) in [(Some(quota), Effect::Charged), (None, Effect::Uncharged)] {
        let direct = [Direct {
            pot: questions[0].pot.unwrap(),
            quota,
        }];
        let asked = Asked {
            direct: &direct,
            ..Asked::NOTHING
        };
        let decision = world.resume("192.0.2.1", asked);
        assert_eq!(effects(&decision), [Effect::Charged, effect]);
    }
    assert_eq!(world.ask("192.0.2.2"), None);
}

#[test]
fn a_store_that_fails_is_on_fault_s_and_races_without_end_refuse() {
    let mut world = world("deny");
    let _ = world.debit(5, true, 900);
    let pots = Fault::Host(3);
    world.data.failing = Some((b'p', pots));
    let decision = world.ask("192.0.2.1").unwrap();
    assert_eq!(effects(&decision), [Effect::Charged, Effect::Uncharged]);
    assert_eq!(world.incidents.fault, Some(pots));
    world.data.failing = None;
    world.data.losing = u32::MAX;
    let decision = world.ask("192.0.2.1").unwrap();
    assert_eq!(decision.refusal.unwrap().reason, Reason::Contended);
    assert_eq!(effects(&decision), [Effect::Passed, Effect::Denied]);
}
