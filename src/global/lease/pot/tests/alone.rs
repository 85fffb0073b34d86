//! A proxy without its limiter.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn alone(pot: &mut Pot, millis: u64) -> u32 {
    let admitted = |_: &u32| {
        let spent = pot.spend_alone(&SHARE, now(millis), 1);
        matches!(spent, Alone::Admitted { .. })
    };
    u32::try_from((0..2_000).filter(admitted).count()).unwrap()
}

#[test]
fn a_proxy_alone_admits_its_share_and_tells_it_afterwards() {
    let mut pot = filled(0);
    // 800 were left, for two proxies.
    assert_eq!(alone(&mut pot, 10_100), 400);
    let until = at(60_000);
    let refused = pot.spend_alone(&SHARE, now(10_100), 1);
    assert_eq!(refused, Alone::Refused { until });
    let report = debit(&mut pot, 12_000, ONE);
    assert_eq!((report.owed, report.hits()), (400, 400 + report.tokens));
    // Debited or not: no new share, and told again.
    pot.fail(&report, Failure::Unknown);
    assert_eq!(alone(&mut pot, 12_300), 0);
    let next = debit(&mut pot, 12_300, ONE);
    assert_eq!((next.owed, pot.doubtful), (400, report.tokens));
}

#[test]
fn what_was_not_counted_is_told_again_in_its_window_only() {
    let mut pot = filled(0);
    assert_eq!(alone(&mut pot, 10_100), 400);
    let report = debit(&mut pot, 12_000, ONE);
    pot.fail(&report, Failure::Uncounted);
    assert_eq!(debit(&mut pot, 12_001, ONE).owed, 400);
    let mut pot = filled(0);
    assert_eq!(alone(&mut pot, 10_100), 400);
    pot.lapse(at(60_000));
    assert_eq!(debit(&mut pot, 60_001, ONE).owed, 0);
}

#[test]
fn a_proxy_alone_opens_windows_of_its_own() {
    let mut pot = Pot::default();
    assert_eq!(alone(&mut pot, 10_000), 500);
    pot.lapse(at(59_999));
    assert_eq!(alone(&mut pot, 59_999), 0);
    pot.lapse(at(60_000));
    assert_eq!(alone(&mut pot, 60_000), 500);
    // The limiter's window takes the place of the proxy's own, and is told.
    let report = debit(&mut pot, 70_000, ONE);
    assert_eq!(report.owed, 500);
    let told = answer(&report, 70_001, true, 400);
    let _ = pot.fill(&SHARE, &report, &told, at(70_001));
    assert_eq!(pot.remaining(), Some(400 + report.tokens));
    assert_eq!(pot.owed, 0);
}

/// What an engine that charges nothing of what does not fit says to a debit.
fn all_or_nothing(left: &mut u32, debit: &Debit, millis: u64, tells: bool) -> Answer {
    let granted = debit.hits() <= *left;
    *left -= if granted { debit.hits() } else { 0 };
    Answer {
        burns: false,
        shadows: false,
        remaining: (granted || tells).then_some(*left),
        ..answer(debit, millis, granted, 0)
    }
}

#[test]
fn a_debt_that_does_not_fit_is_told_as_far_as_it_does() {
    for (tells, most_calls) in [(true, 2), (false, 20)] {
        let mut pot = filled(0);
        assert_eq!(alone(&mut pot, 10_100), 400);
        // Others have taken most of the 800 meanwhile.
        let (mut left, mut calls) = (137, 0);
        let mut millis = 12_000;
        while let Next::Debit(debit) = pot.next(&SHARE, now(millis), ONE, WAY) {
            let told = all_or_nothing(&mut left, &debit, millis + 1, tells);
            let _ = pot.fill(&SHARE, &debit, &told, at(millis + 1));
            (calls, millis) = (calls + 1, millis + 1);
        }
        assert_eq!(left, 0);
        assert!(calls <= most_calls, "{calls}");
        assert!(matches!(pot.spend(at(millis), 1), Spend::Refused { .. }));
    }
}
