//! Fixed and sliding windows.

use std::collections::HashMap;
use std::num::NonZeroU64;

use proptest::prelude::*;
use weir::local::calendar::Span;
use weir::local::limit::{Adopted, Limit};
use weir::units::{Nanos, Now, UnixTime, Wait};

use crate::world::{NOON, returned, spanned};

const DAY: u64 = Nanos::DAY.0;

/// Any kind of window, aligned anyhow.
fn spans() -> impl Strategy<Value = Span> {
    let every = |length: u64, offset: u64| Span::Every {
        length: NonZeroU64::new(length).expect("a window has a length"),
        offset: Nanos(offset % length),
    };
    let millis = prop_oneof![1..=5_000_u64, 1..=31_622_400_000_u64];
    prop_oneof![
        4 => (millis, any::<u64>()).prop_map(move |(millis, offset)| {
            every(millis * Nanos::MILLISECOND.0, offset)
        }),
        1 => (-1_439..=1_439_i16).prop_map(|utc_offset_minutes| Span::Month { utc_offset_minutes }),
    ]
}

fn limits() -> impl Strategy<Value = Limit> {
    let requests = prop_oneof![1..=10_u32, 1..=1_000_000_000_u32];
    (requests, spans(), any::<bool>())
        .prop_map(|(requests, span, sliding)| spanned(requests, Nanos(DAY), span, sliding))
}

fn span(limit: &Limit) -> Span {
    let weir::local::limit::Algorithm::Window(window) = limit.algorithm else {
        panic!("a window")
    };
    window.span
}

fn sliding(limit: &Limit) -> bool {
    let weir::local::limit::Algorithm::Window(window) = limit.algorithm else {
        panic!("a window")
    };
    window.sliding
}

fn unix(now: u64) -> Now {
    Now {
        unix: UnixTime(now),
        ..NOON
    }
}

/// A share of one and a half windows.
fn part(limit: &Limit, share: u16) -> u64 {
    let length = span(limit).position(NOON.unix);
    let length = u128::from(length.elapsed.0 + length.left.0) * 3 / 2;
    u64::try_from(length * u128::from(share) / u128::from(u16::MAX)).expect("two years at most")
}

fn cost(limit: &Limit, share: u16) -> u32 {
    let cost = u64::from(limit.requests) * u64::from(share) / u64::from(u16::MAX);
    u32::try_from(cost).expect("below the limit").max(1)
}

/// Charges what fits, at times that pass by parts of a window; the state and the time after.
fn charged(limit: &Limit, charges: &[(u16, u16)]) -> (Adopted, u64) {
    let (mut cell, mut now) = (limit.fresh(), NOON.unix.0);
    for (share, pause) in charges {
        cell = limit
            .charge(cell, unix(now), cost(limit, *share))
            .unwrap_or(cell);
        now += part(limit, *pause);
    }
    (cell, now)
}

/// Charges and pauses: many in one window, or few over several.
fn charges() -> impl Strategy<Value = Vec<(u16, u16)>> {
    let pause = prop_oneof![Just(0), 0..=8_000_u16, any::<u16>()];
    let share = prop_oneof![0..=8_000_u16, any::<u16>()];
    prop::collection::vec((share, pause), 0..20)
}

proptest! {
    #[test]
    fn a_window_is_its_formula(limit in limits(), charges in charges()) {
        let mut log: HashMap<u64, u128> = HashMap::new();
        let (mut cell, mut now) = (limit.fresh(), NOON.unix.0);
        for (share, pause) in charges {
            let cost = cost(&limit, share);
            let position = span(&limit).position(UnixTime(now));
            let current = *log.get(&position.index).unwrap_or(&0);
            let previous = match sliding(&limit) {
                true => *log.get(&(position.index - 1)).unwrap_or(&0),
                false => 0,
            };
            let length = u128::from(position.elapsed.0) + u128::from(position.left.0);
            let used = previous * (length - u128::from(position.elapsed.0))
                + (current + u128::from(cost)) * length;
            let fits = used <= u128::from(limit.requests) * length;
            let charged = limit.charge(cell, unix(now), cost);
            prop_assert_eq!(charged.is_ok(), fits);
            if let Ok(charged) = charged {
                cell = charged;
                *log.entry(position.index).or_default() += u128::from(cost);
            }
            now += part(&limit, pause);
        }
    }

    #[test]
    fn no_span_as_long_as_a_window_admits_twice_the_limit(
        limit in limits().prop_filter("all as long", |limit| matches!(span(limit), Span::Every { .. })),
        charges in prop::collection::vec((any::<u16>(), 0..=20_000_u16), 0..80),
    ) {
        let length = span(&limit).length(0).0;
        let (mut cell, mut now) = (limit.fresh(), NOON.unix.0);
        let mut admitted: Vec<(u64, u64)> = Vec::new();
        for (share, pause) in charges {
            let cost = cost(&limit, share);
            if let Ok(charged) = limit.charge(cell, unix(now), cost) {
                cell = charged;
                admitted.push((now, cost.into()));
            }
            now += part(&limit, pause);
        }
        for (begin, _) in &admitted {
            let within = admitted.iter().filter(|(at, _)| at >= begin && *at < begin + length);
            let sum: u64 = within.map(|(_, cost)| cost).sum();
            prop_assert!(sum <= 2 * u64::from(limit.requests));
        }
    }

    #[test]
    fn a_promise_is_kept_to_the_nanosecond(
        limit in limits(),
        charges in charges(),
        share in any::<u16>(),
        back in prop_oneof![Just(0), any::<u16>()],
    ) {
        let (cell, now) = charged(&limit, &charges);
        let now = now - part(&limit, back);
        let cost = cost(&limit, share);
        if let Err(wait) = limit.charge(cell, unix(now), cost) {
            let Wait::After(wait) = wait else { panic!("{cost} is within the limit") };
            prop_assert!(wait > Nanos(0));
            let just_before = limit.charge(cell, unix(now + wait.0 - 1), cost);
            prop_assert_eq!(just_before, Err(Wait::After(Nanos(1))));
            prop_assert!(limit.charge(cell, unix(now + wait.0), cost).is_ok());
            let seconds = wait.seconds_up() * Nanos::SECOND.0;
            prop_assert!(limit.charge(cell, unix(now + seconds), cost).is_ok());
        }
    }

    #[test]
    fn what_is_left_is_admitted_and_not_one_more(
        limit in limits(),
        charges in charges(),
        back in prop_oneof![Just(0), any::<u16>()],
    ) {
        let (cell, now) = charged(&limit, &charges);
        let now = now - part(&limit, back);
        let (left, reset) = limit.quota(cell, unix(now));
        prop_assert!(left <= limit.requests);
        prop_assert!(left == 0 || limit.charge(cell, unix(now), left).is_ok());
        let most = left == limit.requests;
        prop_assert!(most || limit.charge(cell, unix(now), left + 1).is_err());
        prop_assert_eq!(limit.quota(cell, unix(now + reset.0)), (limit.requests, Nanos(0)));
        if reset > Nanos(0) {
            prop_assert!(limit.quota(cell, unix(now + reset.0 - 1)).1 > Nanos(0));
        }
    }

    #[test]
    fn a_clock_set_back_by_a_window_refunds_nothing(
        limit in limits(),
        charges in charges(),
        back in any::<u16>(),
    ) {
        let (cell, now) = charged(&limit, &charges);
        // The last charge is what was stored last; the clock may be set back across its window's edge.
        let earlier = now - part(&limit, back);
        let stored = cell.cell().counted().index;
        let index = span(&limit).position(UnixTime(earlier)).index;
        if cell != limit.fresh() && (index == stored || index + 1 == stored) {
            let (left, _) = limit.quota(cell, unix(now));
            let (left_then, _) = limit.quota(cell, unix(earlier));
            prop_assert!(left_then <= left);
        }
    }

    #[test]
    fn a_clock_that_was_far_ahead_locks_nobody_out(limit in limits(), charges in charges()) {
        let (cell, now) = charged(&limit, &charges);
        let position = span(&limit).position(UnixTime(now));
        let length = position.elapsed.0 + position.left.0;
        if cell.cell().counted().index == position.index {
            let long_before = unix(now - 2 * length - length / 2);
            prop_assert_eq!(limit.quota(cell, long_before), (limit.requests, Nanos(0)));
        }
    }

    #[test]
    fn a_give_back_leaves_no_more_than_was_there_without_the_charge(
        limit in limits(),
        before in charges(),
        ours in any::<u16>(),
        after in charges(),
    ) {
        let (cell, mut now) = charged(&limit, &before);
        let begun = now;
        let ours = cost(&limit, ours);
        let Ok(charged) = limit.charge(cell, unix(now), ours) else { return Ok(()) };
        let (mut touched, mut untouched) = (charged, cell);
        for (share, pause) in after {
            now += part(&limit, pause);
            let cost = cost(&limit, share);
            if let Ok(next) = limit.charge(touched, unix(now), cost) {
                touched = next;
                untouched = limit.charge(untouched, unix(now), cost).expect("more was left");
            }
        }
        let given = returned(&limit, touched, charged, ours, Nanos(now - begun));
        for share in [0, 1, 20_000, 40_000] {
            let then = unix(now + part(&limit, share));
            let (left, reset) = limit.quota(given, then);
            let (most, soonest) = limit.quota(untouched, then);
            prop_assert!(left <= most && reset >= soonest);
        }
    }
}
