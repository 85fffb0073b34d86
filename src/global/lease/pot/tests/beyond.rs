//! A limiter that grants beyond its limit, or has another one than the plan says.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Debits for those who wait; all is granted, and `remaining` is left.
fn granted(pot: &mut Pot, millis: u64, waiting: Waiting, remaining: u32) -> u32 {
    let ask = debit(pot, millis, waiting);
    let _ = pot.fill(
        &SHARE,
        &ask,
        &answer(&ask, millis + 1, true, remaining),
        at(millis + 1),
    );
    ask.tokens
}

#[test]
fn nothing_left_is_no_refusal_and_the_next_one_asks() {
    let mut pot = filled(0);
    assert_eq!(granted(&mut pot, 10_005, ONE, 0), 1);
    assert!(spent(&mut pot, 10_007, 1).is_some());
    assert_eq!(pot.spend(at(10_008), 1), Spend::Short);
    let many = Waiting { all: 9, ..ONE };
    let last = debit(&mut pot, 10_008, many);
    assert_eq!(last.tokens, 1);
    // The others wait for its answer.
    let asked = Waiting { asked: 1, ..many };
    assert_eq!(pot.next(&SHARE, now(10_008), asked, WAY), Next::Wait);
    let over = answer(&last, 10_009, false, 0);
    let _ = pot.fill(&SHARE, &last, &over, at(10_009));
    let until = at(60_000);
    assert_eq!(pot.spend(at(10_010), 1), Spend::Refused { until });
    assert_eq!(pot.next(&SHARE, now(10_010), many, WAY), Next::Rest);
}

#[test]
fn a_limit_that_is_only_watched_is_leased_as_a_whole_one() {
    let mut pot = filled(0);
    let many = Waiting { all: 40, ..ONE };
    assert_eq!(granted(&mut pot, 10_005, ONE, 0), 1);
    assert!(spent(&mut pot, 10_007, 1).is_some());
    assert_eq!(granted(&mut pot, 10_008, many, 0), 1);
    assert!(spent(&mut pot, 10_010, 1).is_some());
    // Granted twice with nothing left: from now on it takes what waits, up to a quarter of its half.
    let leased = granted(&mut pot, 10_011, many, 0);
    assert!((40..=125).contains(&leased), "{leased}");
    assert_eq!(pot.remaining(), Some(0));
    assert_eq!(Pot::decode(&pot.encode(7), 7), Some(pot));
    assert_eq!(pot.remaining_alone(&SHARE), 500);
    // Once it refuses it is believed.
    let ask = debit(
        &mut pot,
        10_013,
        Waiting {
            all: 99,
            first: 60,
            ..ONE
        },
    );
    let over = answer(&ask, 10_014, false, 0);
    let _ = pot.fill(&SHARE, &ask, &over, at(10_014));
    assert!(matches!(pot.spend(at(10_015), 60), Spend::Refused { .. }));
}

#[test]
fn a_grant_that_comes_after_a_later_refusal_does_not_undo_it() {
    let mut pot = filled(0);
    let first = debit(&mut pot, 10_005, ONE);
    let last = debit(&mut pot, 10_005, ONE);
    let over = answer(&last, 10_006, false, 0);
    let _ = pot.fill(&SHARE, &last, &over, at(10_006));
    let _ = pot.fill(&SHARE, &first, &answer(&first, 10_007, true, 0), at(10_007));
    assert!(spent(&mut pot, 10_008, 1).is_some());
    assert!(matches!(pot.spend(at(10_008), 1), Spend::Refused { .. }));
}

#[test]
fn an_engine_that_never_grants_beyond_is_not_asked_at_nothing() {
    let mut pot = filled(0);
    let ask = debit(&mut pot, 10_005, ONE);
    let exact = Answer {
        shadows: false,
        ..answer(&ask, 10_006, true, 0)
    };
    let _ = pot.fill(&SHARE, &ask, &exact, at(10_006));
    assert!(spent(&mut pot, 10_007, 1).is_some());
    assert!(matches!(pot.spend(at(10_007), 1), Spend::Refused { .. }));
}

#[test]
fn leases_and_the_share_are_of_what_the_limiter_counts_by() {
    let gold = Numbers {
        requests: 80_000,
        per: Nanos(3_600_000 * MILLI),
    };
    let mut pot = Pot::default();
    let many = Waiting { all: 2_000, ..ONE };
    let first = debit(&mut pot, 10_000, many);
    assert_eq!(first.tokens, 10);
    let flight = Flight {
        sent: first.sent,
        received: now(10_001),
    };
    let told = Answer {
        remaining: Some(60_000),
        ends: Ends::told(flight, Some(Reset::Aligned), gold.per),
        counted: gold,
        ..answer(&first, 10_001, true, 0)
    };
    let _ = pot.fill(&SHARE, &first, &told, at(10_001));
    let more = Waiting { first: 11, ..many };
    assert_eq!(debit(&mut pot, 10_002, more).tokens, 1_990);
    assert_eq!(pot.remaining_alone(&SHARE), (60_000 - 1_990) / 2);
    // In the next window the first lease is one of a hundred, and the share is half.
    pot.lapse(at(3_600_000));
    assert_eq!(pot.remaining_alone(&SHARE), 40_000);
    assert_eq!(debit(&mut pot, 3_600_001, many).tokens, 800);
}
