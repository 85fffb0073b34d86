//! Clocks that step, or are read late.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn a_clock_that_steps_back_mints_nothing() {
    let mut pot = filled(2);
    assert_eq!(pot.lapse(at(0)), 0);
    let spends = (0..9).filter(|_| spent(&mut pot, 0, 1).is_some());
    assert_eq!(spends.count(), 2);
}

#[test]
fn a_clock_that_was_read_late_loses_no_lease_and_lengthens_no_window() {
    let mut pot = Pot::default();
    let late = debit(&mut pot, 10_000, ONE);
    let told = answer(&late, 10_001, true, 900);
    let ends = Ends {
        earliest: told.ends.earliest.plus(Nanos(50 * Nanos::MILLISECOND.0)),
        latest: told.ends.latest.plus(Nanos(50 * Nanos::MILLISECOND.0)),
    };
    let _ = pot.fill(&SHARE, &late, &Answer { ends, ..told }, at(10_001));
    let right = debit(
        &mut pot,
        10_100,
        Waiting {
            all: 9,
            first: 9,
            ..Waiting::default()
        },
    );
    let told = answer(&right, 10_101, true, 890);
    let filled = pot.fill(&SHARE, &right, &told, at(10_101));
    assert_eq!(filled.lapsed, 0);
    assert_eq!(pot.tokens, late.tokens + right.tokens);
    assert_eq!(
        pot.window.map(|window| window.earliest),
        Some(told.ends.earliest)
    );
}
