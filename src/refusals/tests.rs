use super::*;
use crate::decision::Quota;
use crate::engine::MetKey;
use crate::units::{Nanos, Wait};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const SECOND: u64 = Nanos::SECOND.0;

const FIRST: Generation = Generation(1);

fn met(fingerprints: &[u64]) -> Vec<Met> {
    let met = fingerprints.iter().enumerate();
    met.map(|(rule, fingerprint)| Met {
        rule,
        key: MetKey::Counted(*fingerprint),
    })
    .collect()
}

/// A refusal of a request with these fingerprints, by limits that wait and are whole again as given.
fn refused(fingerprints: &[u64], limits: &[(usize, Option<Wait>, u64)]) -> Refused {
    let quotas = limits.iter().map(|(rule, violated, reset)| Quota {
        rule: *rule,
        limit: 0,
        remaining: 0,
        reset: Nanos(*reset),
        violated: *violated,
        counted: None,
    });
    let rules = fingerprints.iter().enumerate();
    let mut decision = Decision {
        quotas: quotas.collect(),
        rules: rules
            .map(|(rule, fingerprint)| RuleOutcome {
                rule,
                fingerprint: Some(*fingerprint),
                effect: Effect::Refused,
            })
            .collect(),
        refusal: None,
    };
    decision.refusal = decision.by_longest_wait();
    Refused {
        decision,
        reply: told(&Decision::default()),
    }
}

fn after(nanos: u64) -> Option<Wait> {
    Some(Wait::After(Nanos(nanos)))
}

/// A reply from which one can see when it was told.
fn told(decision: &Decision) -> LocalReply {
    LocalReply {
        body: format!("{:?}", decision.refused_for()).into(),
        ..LocalReply::unavailable()
    }
}

fn waits(refused: &Refused) -> Vec<Option<Wait>> {
    let quotas = refused.decision.quotas.iter();
    quotas.map(|quota| quota.violated).collect()
}

#[test]
fn a_request_is_refused_until_the_instant_it_was_promised() {
    let mut refusals = Refusals::default();
    assert!(refusals.find(FIRST, &met(&[5]), Instant(0)).is_none());
    refusals.remember(FIRST, refused(&[5], &[(0, after(10), 10)]), Instant(100));
    let slot = refusals.find(FIRST, &met(&[5]), Instant(100)).unwrap();
    assert_eq!(refusals.find(FIRST, &met(&[5]), Instant(109)), Some(slot));
    assert_eq!(refusals.find(FIRST, &met(&[5]), Instant(110)), None);
    // A clock that steps back makes nothing later.
    assert_eq!(refusals.find(FIRST, &met(&[5]), Instant(50)), Some(slot));
}

#[test]
fn the_longest_wait_decides_and_a_limit_that_is_done_refuses_no_more() {
    let mut refusals = Refusals::default();
    let both = refused(&[5, 6], &[(0, after(3), 9), (1, after(10), 10)]);
    refusals.remember(FIRST, both, Instant(0));
    let slot = refusals.find(FIRST, &met(&[5, 6]), Instant(9)).unwrap();
    let now = refusals.repeat(slot, Instant(3), false, told);
    assert_eq!(waits(now), [None, after(7)]);
    let effects = now.decision.rules.iter().map(|rule| rule.effect);
    assert!(effects.eq([Effect::Passed, Effect::Refused]));
    assert_eq!(now.decision.refusal.unwrap().rule, 1);
}

#[test]
fn what_was_told_is_told_again_until_it_would_say_another_second() {
    let mut refusals = Refusals::default();
    let wait = 2 * SECOND + 300;
    let first = refusals.remember(FIRST, refused(&[5], &[(0, after(wait), 0)]), Instant(0));
    let first = first.reply.body.clone();
    let slot = refusals.find(FIRST, &met(&[5]), Instant(0)).unwrap();
    let mut body = |now: u64, grpc: bool| {
        let refused = refusals.repeat(slot, Instant(now), grpc, told);
        refused.reply.body.clone()
    };
    assert_eq!(body(299, false), first);
    let second = body(300, false);
    assert_ne!(second, first);
    assert_eq!(body(299 + SECOND, false), second);
    let third = body(300 + SECOND, false);
    assert_ne!(third, second);
    // In another protocol it is told anew at once.
    assert_ne!(body(301 + SECOND, true), third);
}

#[test]
fn others_are_not_refused_by_it() {
    let mut refusals = Refusals::default();
    let one = refused(&[5, 6], &[(0, after(10), 10)]);
    refusals.remember(FIRST, one, Instant(0));
    for others in [&[5][..], &[6], &[5, 7], &[6, 5], &[5, 6, 7], &[]] {
        assert!(refusals.find(FIRST, &met(others), Instant(1)).is_none());
    }
    let mut uncounted = met(&[5, 6]);
    uncounted[1].key = MetKey::Unreadable;
    assert!(refusals.find(FIRST, &uncounted, Instant(1)).is_none());
    // Who has the same place displaces it.
    let place = u64::try_from(SLOTS).unwrap();
    let other = refused(&[7], &[(0, after(10), 10)]);
    refusals.remember(FIRST, other, Instant(0));
    let neighbour = refused(&[7 + place], &[(0, after(10), 10)]);
    refusals.remember(FIRST, neighbour, Instant(0));
    assert!(refusals.find(FIRST, &met(&[7]), Instant(1)).is_none());
    assert!(
        refusals
            .find(FIRST, &met(&[7 + place]), Instant(1))
            .is_some()
    );
}

#[test]
fn only_what_a_limit_refused_for_a_while_is_remembered() {
    let never = refused(&[5], &[(0, Some(Wait::Never), 0)]);
    let mut contended = refused(&[5], &[(0, after(10), 10)]);
    let reason = Reason::Contended;
    contended.decision.refusal = Some(Refusal { rule: 0, reason });
    let mut unread = refused(&[5], &[(0, after(10), 10)]);
    unread.decision.rules[0].fingerprint = None;
    let mut unasked = refused(&[5, 6], &[(0, after(10), 10)]);
    unasked.decision.rules[1].effect = Effect::Uncharged;
    for other in [never, contended, unread, unasked] {
        let mut refusals = Refusals::default();
        let reason = other.decision.refusal;
        assert_eq!(
            refusals.remember(FIRST, other, Instant(0)).decision.refusal,
            reason
        );
        assert!(refusals.find(FIRST, &met(&[5]), Instant(0)).is_none());
        assert!(refusals.find(FIRST, &met(&[5, 6]), Instant(0)).is_none());
    }
}

#[test]
fn configurations_share_the_places_and_not_the_refusals() {
    let mut refusals = Refusals::default();
    let [one, two] = [(); 2].map(|()| refusals.next_generation());
    refusals.remember(one, refused(&[5], &[(0, after(10), 10)]), Instant(0));
    assert!(refusals.find(two, &met(&[5]), Instant(1)).is_none());
    refusals.remember(two, refused(&[5], &[(0, after(20), 20)]), Instant(0));
    assert!(refusals.find(one, &met(&[5]), Instant(1)).is_some());
    assert!(refusals.find(two, &met(&[5]), Instant(11)).is_some());
    assert_eq!(refusals.slots.len(), SLOTS);
}
