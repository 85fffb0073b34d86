use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn reading(wait: Option<u64>, reset: u64) -> Reading {
    Reading {
        remaining: 0,
        reset: Nanos(reset),
        wait: wait.map(|wait| Wait::After(Nanos(wait))),
    }
}

#[test]
fn a_refusal_is_remembered_until_the_instant_it_promised() {
    let mut refusals = Refusals::default();
    assert!(refusals.recall(5, 1, Instant(0)).is_none());
    refusals.remember(
        5,
        1,
        Instant(100),
        vec![reading(Some(10), 30), reading(None, 4)],
    );
    let recalled = refusals.recall(5, 1, Instant(103)).unwrap();
    assert_eq!(recalled, [reading(Some(7), 27), reading(None, 1)]);
    assert!(refusals.recall(5, 1, Instant(109)).is_some());
    assert!(refusals.recall(5, 1, Instant(110)).is_none());
}

#[test]
fn the_longest_wait_decides_and_a_limit_that_is_done_refuses_no_more() {
    let mut refusals = Refusals::default();
    refusals.remember(
        5,
        1,
        Instant(0),
        vec![reading(Some(10), 10), reading(Some(3), 9)],
    );
    let recalled = refusals.recall(5, 1, Instant(3)).unwrap();
    assert_eq!(recalled, [reading(Some(7), 7), reading(None, 6)]);
    assert!(refusals.recall(5, 1, Instant(9)).is_some());
}

#[test]
fn others_are_not_refused_by_it() {
    let mut refusals = Refusals::default();
    refusals.remember(5, 3, Instant(0), vec![reading(Some(10), 10)]);
    let neighbour = 5 + u64::try_from(SLOTS).unwrap();
    assert!(refusals.recall(neighbour, 3, Instant(1)).is_none());
    assert!(refusals.recall(5, 2, Instant(1)).is_none());
    assert!(refusals.recall(5, 4, Instant(1)).is_some());
    refusals.remember(neighbour, 1, Instant(1), vec![reading(Some(10), 10)]);
    assert!(refusals.recall(5, 3, Instant(2)).is_none());
}

#[test]
fn what_is_refused_for_ever_is_not_remembered() {
    let mut refusals = Refusals::default();
    let never = Reading {
        wait: Some(Wait::Never),
        ..reading(None, 0)
    };
    refusals.remember(5, 1, Instant(0), vec![never]);
    assert!(refusals.recall(5, 1, Instant(0)).is_none());
}

#[test]
fn a_clock_that_steps_back_makes_nothing_later() {
    let mut refusals = Refusals::default();
    refusals.remember(5, 1, Instant(100), vec![reading(Some(10), 10)]);
    let recalled = refusals.recall(5, 1, Instant(50)).unwrap();
    assert_eq!(recalled, [reading(Some(10), 10)]);
}
