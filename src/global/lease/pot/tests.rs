use std::num::NonZeroU32;

use super::encoding::POT_LEN;
use super::*;
use crate::global::lease::debit::{Answer, Filled};
use crate::global::lease::span::{Flight, Windows};
use crate::global::wire::Reset;
use crate::units::UnixTime;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod alone;
mod beyond;
mod clocks;

const MILLI: u64 = Nanos::MILLISECOND.0;

const SHARE: Share = Share {
    limit: 1_000,
    period: Nanos(60_000 * MILLI),
    windows: Windows::Aligned,
    proxies: NonZeroU32::new(2).unwrap(),
};

const WAY: Way = Way {
    rtt: Nanos::MILLISECOND,
    timeout: Nanos(250 * MILLI),
};

const ONE: Waiting = Waiting {
    all: 1,
    first: 1,
    asked: 0,
    ahead: false,
};

/// So many milliseconds into a minute.
const fn now(millis: u64) -> Now {
    Now {
        monotonic: Instant(6_000_000 * MILLI + millis * MILLI),
        unix: UnixTime(60_000 * 30_000_000 * MILLI + millis * MILLI),
    }
}

const fn at(millis: u64) -> Instant {
    now(millis).monotonic
}

/// An answer of ratelimit to a debit that was received so late.
fn answer(debit: &Debit, millis: u64, granted: bool, remaining: u32) -> Answer {
    let flight = Flight {
        sent: debit.sent,
        received: now(millis),
    };
    let left = 60 - (millis % 60_000) / 1_000;
    Answer {
        granted,
        remaining: Some(remaining),
        ends: Ends::told(
            flight,
            Some(Reset::RoundedUp(Nanos(left * Nanos::SECOND.0))),
            SHARE.period,
        ),
        burns: true,
        shadows: true,
        counted: Numbers {
            requests: SHARE.limit,
            per: SHARE.period,
        },
    }
}

fn debit(pot: &mut Pot, millis: u64, waiting: Waiting) -> Debit {
    match pot.next(&SHARE, now(millis), waiting, WAY) {
        Next::Debit(debit) => debit,
        next => panic!("{next:?}"),
    }
}

/// A pot of so many tokens at second 10, the limiter having 800 left.
fn filled(tokens: u32) -> Pot {
    let mut pot = Pot::default();
    let first = debit(&mut pot, 10_000, ONE);
    let grant = Debit { tokens, ..first };
    let filled = pot.fill(
        &SHARE,
        &grant,
        &answer(&grant, 10_001, true, 800),
        at(10_001),
    );
    assert_eq!(filled, Filled::default());
    pot
}

fn spent(pot: &mut Pot, millis: u64, cost: u32) -> Option<u32> {
    match pot.spend(at(millis), cost) {
        Spend::Spent { window, .. } => Some(window),
        Spend::Short | Spend::Refused { .. } => None,
    }
}

#[test]
fn nothing_is_spent_that_was_not_granted() {
    let mut pot = Pot::default();
    assert_eq!(pot.spend(at(0), 1), Spend::Short);
    let mut pot = filled(3);
    let spends = (0..9).filter(|_| spent(&mut pot, 10_002, 1).is_some());
    assert_eq!(spends.count(), 3);
}

#[test]
fn half_of_a_lease_asks_for_the_next_and_only_once() {
    let mut pot = filled(4);
    let low = |pot: &mut Pot| match pot.spend(at(10_002), 1) {
        Spend::Spent { low, .. } => low,
        spend => panic!("{spend:?}"),
    };
    assert!(!low(&mut pot));
    assert!(low(&mut pot));
    let refill = debit(&mut pot, 10_003, Waiting::default());
    assert_eq!((refill.tokens, refill.waiting), (2, 0));
    assert!(!low(&mut pot));
    assert_eq!(
        pot.next(&SHARE, now(10_003), Waiting::default(), WAY),
        Next::Rest
    );
    // Another worker's request waits: it asks for that alone.
    let own = debit(
        &mut pot,
        10_003,
        Waiting {
            all: 5,
            first: 5,
            ..Waiting::default()
        },
    );
    assert_eq!(own.tokens, 4);
}

#[test]
fn who_asks_for_those_who_wait_keeps_nobody_from_asking_ahead() {
    let mut pot = filled(4);
    for _ in 0..2 {
        assert!(spent(&mut pot, 10_002, 1).is_some());
    }
    let ahead = debit(&mut pot, 10_003, Waiting::default());
    let waits = debit(
        &mut pot,
        10_003,
        Waiting {
            all: 5,
            first: 5,
            ..Waiting::default()
        },
    );
    assert!(ahead.ahead && !waits.ahead);
    let told = answer(&ahead, 10_004, true, 700);
    let _ = pot.fill(&SHARE, &ahead, &told, at(10_004));
    assert!(!pot.is_low(at(10_004)));
    for _ in 0..3 {
        assert!(spent(&mut pot, 10_005, 1).is_some());
    }
    assert!(debit(&mut pot, 10_005, Waiting::default()).ahead);
}

#[test]
fn a_mark_in_flight_expires() {
    let mut pot = filled(1);
    assert!(spent(&mut pot, 10_002, 1).is_some());
    let lost = debit(&mut pot, 10_003, Waiting::default());
    assert_eq!(pot.lapse(at(10_252)), 0);
    assert!(!pot.is_low(at(10_252)));
    assert_eq!(pot.lapse(at(10_253)), 0);
    assert!(pot.is_low(at(10_253)));
    // It may have happened; its call fails a moment later, which changes nothing.
    assert_eq!(pot.doubtful, lost.hits());
    pot.fail(&lost, Failure::Unknown);
    assert_eq!(pot.doubtful, lost.hits());
}

#[test]
fn a_late_answer_fills_all_the_same() {
    let mut pot = Pot::default();
    let late = debit(&mut pot, 10_000, ONE);
    pot.lapse(at(10_250));
    pot.fail(&late, Failure::Unknown);
    let _ = pot.fill(&SHARE, &late, &answer(&late, 10_600, true, 900), at(10_600));
    assert!(spent(&mut pot, 10_601, 1).is_some());
}

#[test]
fn a_lease_lapses_with_its_window() {
    let mut pot = filled(7);
    assert_eq!(pot.lapse(at(59_989)), 0);
    assert_eq!(pot.lapse(at(59_990)), 7);
    assert_eq!(spent(&mut pot, 59_990, 1), None);
    assert_eq!(pot.lapse(at(60_000)), 0);
    assert_eq!(pot.window(), None);
}

#[test]
fn an_answer_for_a_window_that_has_ended_gives_nothing() {
    let mut pot = filled(2);
    let old = debit(
        &mut pot,
        59_000,
        Waiting {
            all: 9,
            first: 9,
            ..Waiting::default()
        },
    );
    pot.lapse(at(60_001));
    let new = debit(&mut pot, 60_002, ONE);
    let _ = pot.fill(&SHARE, &new, &answer(&new, 60_003, true, 999), at(60_003));
    let told = Answer {
        ends: answer(&old, 59_999, true, 5).ends,
        ..answer(&old, 60_004, true, 5)
    };
    let filled = pot.fill(&SHARE, &old, &told, at(60_004));
    let nothing = Filled {
        direct: 0,
        lapsed: old.tokens,
    };
    assert_eq!(filled, nothing);
    assert_eq!((pot.tokens, pot.remaining), (1, Some(999)));
}

#[test]
fn a_grant_of_nobody_knows_which_window_is_not_kept() {
    let mut pot = filled(2);
    let old = debit(
        &mut pot,
        59_998,
        Waiting {
            all: 9,
            first: 9,
            ..Waiting::default()
        },
    );
    pot.lapse(at(60_001));
    let new = debit(&mut pot, 60_002, ONE);
    let _ = pot.fill(&SHARE, &new, &answer(&new, 60_003, true, 999), at(60_003));
    let flight = Flight {
        sent: old.sent,
        received: now(60_004),
    };
    let vague = Answer {
        ends: Ends::told(flight, Some(Reset::RoundedDown(Nanos(0))), SHARE.period),
        ..answer(&old, 60_004, true, 5)
    };
    let filled = pot.fill(&SHARE, &old, &vague, at(60_004));
    assert_eq!((filled.direct, filled.lapsed), (old.tokens, 0));
    assert_eq!((pot.tokens, pot.remaining), (1, Some(999)));
}

#[test]
fn at_the_edge_a_grant_serves_who_waited_and_nobody_else() {
    let mut pot = filled(2);
    assert_eq!(pot.lapse(at(59_992)), 2);
    let last = debit(
        &mut pot,
        59_992,
        Waiting {
            all: 3,
            first: 1,
            ..Waiting::default()
        },
    );
    assert_eq!(last.tokens, 3);
    let filled = pot.fill(&SHARE, &last, &answer(&last, 59_993, true, 700), at(59_993));
    assert_eq!(
        filled,
        Filled {
            direct: 3,
            lapsed: 0
        }
    );
    assert_eq!(spent(&mut pot, 59_993, 1), None);
}

#[test]
fn a_refusal_is_kept_until_the_window_ends_and_takes_nothing_away() {
    let mut pot = filled(2);
    let over = debit(
        &mut pot,
        10_005,
        Waiting {
            all: 9,
            first: 9,
            ..Waiting::default()
        },
    );
    let _ = pot.fill(&SHARE, &over, &answer(&over, 10_006, false, 0), at(10_006));
    assert!(spent(&mut pot, 10_007, 1).is_some());
    assert!(spent(&mut pot, 10_007, 1).is_some());
    let until = at(60_000);
    assert_eq!(pot.spend(at(10_008), 1), Spend::Refused { until });
    assert_eq!(pot.next(&SHARE, now(10_008), ONE, WAY), Next::Rest);
    pot.lapse(at(60_000));
    assert_eq!(pot.spend(at(60_000), 1), Spend::Short);
    assert_eq!(debit(&mut pot, 60_000, ONE).tokens, 1);
}

#[test]
fn a_cost_beyond_what_is_left_is_refused_unasked() {
    let mut pot = filled(0);
    let ask = debit(&mut pot, 10_005, ONE);
    let _ = pot.fill(&SHARE, &ask, &answer(&ask, 10_006, true, 4), at(10_006));
    let until = at(60_000);
    assert_eq!(pot.spend(at(10_007), 6), Spend::Refused { until });
    // One in hand and four there.
    assert_eq!(pot.spend(at(10_007), 5), Spend::Short);
    let five = Waiting {
        all: 5,
        first: 5,
        ..Waiting::default()
    };
    assert_eq!(debit(&mut pot, 10_007, five).tokens, 4);
    assert_eq!(pot.next(&SHARE, now(10_008), five, WAY), Next::Wait);
}

#[test]
fn a_refusal_that_tells_nothing_asks_for_less_until_one_is_refused() {
    let mut pot = filled(0);
    let mut waiting = Waiting {
        all: 100,
        first: 60,
        ..Waiting::default()
    };
    let (mut calls, mut last) = (0, u32::MAX);
    while let Next::Debit(ask) = pot.next(&SHARE, now(10_010), waiting, WAY) {
        assert!(ask.tokens < last);
        (calls, last) = (calls + 1, ask.tokens);
        let told = Answer {
            remaining: None,
            burns: false,
            ..answer(&ask, 10_011, false, 0)
        };
        let _ = pot.fill(&SHARE, &ask, &told, at(10_011));
        waiting.first = waiting.first.min(1);
    }
    assert_eq!(last, 1);
    assert!(calls < 8, "{calls}");
    assert!(matches!(pot.spend(at(10_012), 1), Spend::Refused { .. }));
}

#[test]
fn a_limiter_that_contradicts_itself_is_left_alone() {
    let mut pot = filled(0);
    let ask = debit(&mut pot, 10_005, ONE);
    let _ = pot.fill(&SHARE, &ask, &answer(&ask, 10_006, false, 50), at(10_006));
    assert!(matches!(pot.spend(at(10_007), 1), Spend::Refused { .. }));
}

#[test]
fn only_the_same_window_gets_a_spend_back() {
    let mut pot = filled(1);
    let window = spent(&mut pot, 10_002, 1).unwrap();
    pot.give_back(window, 1, at(10_003));
    assert!(spent(&mut pot, 10_004, 1).is_some());
    pot.lapse(at(60_000));
    let ask = debit(&mut pot, 60_000, ONE);
    pot.give_back(window, 1, at(60_001));
    let _ = pot.fill(&SHARE, &ask, &answer(&ask, 60_001, true, 9), at(60_001));
    pot.give_back(window, 1, at(60_002));
    assert_eq!(pot.tokens, 1);
}

#[test]
fn a_pot_is_read_as_it_was_written_and_nothing_else_is_a_pot() {
    let mut pot = filled(5);
    assert!(spent(&mut pot, 10_002, 2).is_some());
    let _ = debit(
        &mut pot,
        10_003,
        Waiting {
            all: 9,
            first: 9,
            ..Waiting::default()
        },
    );
    for pot in [pot, Pot::default()] {
        let bytes = pot.encode(7);
        assert_eq!(bytes.len(), POT_LEN);
        assert_eq!(Pot::decode(&bytes, 7), Some(pot));
        assert_eq!(Pot::decode(&bytes, 8), None);
        for at in 0..bytes.len() {
            let mut torn = bytes;
            torn[at] ^= 1;
            assert_eq!(Pot::decode(&torn, 7), None, "{at}");
        }
    }
}
