//! Token buckets.

use proptest::prelude::*;
use weir::local::limit::{Adopted, Limit};
use weir::units::{Instant, Nanos, Now, Wait};

use super::model::Rational;
use crate::world::{NOON, bucket, returned};

/// Requests per period, period, capacity: small and odd ones too.
pub fn numbers() -> impl Strategy<Value = (u32, Nanos, u32)> {
    let requests = prop_oneof![1..=10_u32, 1..=1_000_000_000_u32];
    let period = prop_oneof![Just(1), 1..=60_000_u64, 1..=31_622_400_000_u64];
    let capacity = prop_oneof![1..=10_u32, 1..=100_000_u32];
    (requests, period, capacity).prop_map(|(requests, millis, capacity)| {
        (requests, Nanos(millis * Nanos::MILLISECOND.0), capacity)
    })
}

/// A span that matters to a bucket: some part of the time that some of its capacity takes.
pub fn span(limit: &Limit, share: u16) -> u64 {
    let whole = u128::from(limit.window().0) * 2;
    u64::try_from(whole * u128::from(share) / u128::from(u16::MAX)).expect("below 2^63")
}

/// Something that happens to a bucket.
#[derive(Clone, Debug)]
enum Event {
    /// Time passes: a share of twice the time to fill, and a few ns.
    Later(u16, u64),
    /// The clock is set back as far.
    Earlier(u16, u64),
    /// A request of this share of the capacity, at least 1.
    Charge(u16),
    /// The latest charge that has not been is given back.
    GiveBack,
}

fn event() -> impl Strategy<Value = Event> {
    let share = prop_oneof![Just(0), 0..=6_000_u16, any::<u16>()];
    prop_oneof![
        6 => share.prop_flat_map(|share| Just(Event::Charge(share))),
        3 => (prop_oneof![Just(0), any::<u16>()], 0..5_u64).prop_map(|(s, n)| Event::Later(s, n)),
        1 => (prop_oneof![Just(0), any::<u16>()], 0..5_u64).prop_map(|(s, n)| Event::Earlier(s, n)),
        2 => Just(Event::GiveBack),
    ]
}

pub fn cost(limit: &Limit, share: u16) -> u32 {
    let cost = u64::from(limit.capacity()) * u64::from(share) / u64::from(u16::MAX);
    u32::try_from(cost).expect("below the capacity").max(1)
}

proptest! {
    #[test]
    fn a_bucket_is_the_rational_one(
        (requests, per, burst) in numbers(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let Some(limit) = bucket(requests, per, burst) else { return Ok(()) };
        let mut model = Rational::new(requests, per, burst);
        let mut cell = limit.fresh();
        let mut now = NOON.monotonic.0;
        for event in events {
            match event {
                Event::Later(share, more) => now = later(now, span(&limit, share) + more),
                Event::Earlier(share, more) => now = now.saturating_sub(span(&limit, share) + more),
                Event::Charge(share) => {
                    let cost = cost(&limit, share);
                    let charged = limit.charge(cell, monotonic(now), cost);
                    prop_assert_eq!(charged.is_ok(), model.fits(now, cost));
                    if let Ok(charged) = charged {
                        cell = charged;
                        model.charge(now, cost);
                    }
                }
                Event::GiveBack => {}
            }
        }
    }

    #[test]
    fn a_promise_is_kept_to_the_nanosecond(
        (requests, per, burst) in numbers(),
        before in prop::collection::vec((any::<u16>(), any::<u16>()), 0..20),
        share in any::<u16>(),
        back in prop_oneof![Just(0), any::<u16>()],
    ) {
        let Some(limit) = bucket(requests, per, burst) else { return Ok(()) };
        let mut cell = limit.fresh();
        let mut now = NOON.monotonic.0;
        for (charge, pause) in before {
            cell = limit.charge(cell, monotonic(now), cost(&limit, charge)).unwrap_or(cell);
            now = later(now, span(&limit, pause) / 16);
        }
        now = now.saturating_sub(span(&limit, back));
        let cost = cost(&limit, share);
        if let Err(wait) = limit.charge(cell, monotonic(now), cost) {
            let Wait::After(wait) = wait else { panic!("{cost} is within the capacity") };
            prop_assert!(wait > Nanos(0));
            let just_before = monotonic(now + wait.0 - 1);
            prop_assert_eq!(limit.charge(cell, just_before, cost), Err(Wait::After(Nanos(1))));
            prop_assert!(limit.charge(cell, monotonic(now + wait.0), cost).is_ok());
            // A client that only reads whole seconds comes later, not earlier.
            let seconds = Nanos(wait.seconds_up() * Nanos::SECOND.0);
            prop_assert!(limit.charge(cell, monotonic(now + seconds.0), cost).is_ok());
        }
    }

    #[test]
    fn what_is_left_is_admitted_and_not_one_more(
        (requests, per, burst) in numbers(),
        before in prop::collection::vec((any::<u16>(), any::<u16>()), 0..20),
    ) {
        let Some(limit) = bucket(requests, per, burst) else { return Ok(()) };
        let mut cell = limit.fresh();
        let mut now = NOON.monotonic.0;
        for (charge, pause) in before {
            cell = limit.charge(cell, monotonic(now), cost(&limit, charge)).unwrap_or(cell);
            now = later(now, span(&limit, pause) / 16);
        }
        let (left, reset) = limit.quota(cell, monotonic(now));
        prop_assert!(left <= burst);
        prop_assert!(left == 0 || limit.charge(cell, monotonic(now), left).is_ok());
        prop_assert!(left == burst || limit.charge(cell, monotonic(now), left + 1).is_err());
        let whole = monotonic(now + reset.0);
        prop_assert_eq!(limit.quota(cell, whole), (burst, Nanos(0)));
        if reset > Nanos(0) {
            prop_assert!(limit.quota(cell, monotonic(now + reset.0 - 1)).1 > Nanos(0));
        }
    }

    #[test]
    fn no_span_admits_more_than_burst_and_what_flows_in(
        (requests, per, burst) in numbers(),
        events in prop::collection::vec(event(), 1..80),
    ) {
        let Some(limit) = bucket(requests, per, burst) else { return Ok(()) };
        let mut cell = limit.fresh();
        let mut now = NOON.monotonic.0;
        // What was charged for good, and when; and what was charged last, and what by.
        let mut charges: Vec<(u64, u32)> = Vec::new();
        let mut pending: Vec<(usize, Adopted)> = Vec::new();
        let mut written_at = 0;
        for event in events {
            match event {
                Event::Later(share, more) => now = later(now, span(&limit, share) / 8 + more),
                Event::Charge(share) => {
                    let cost = cost(&limit, share);
                    if let Ok(charged) = limit.charge(cell, monotonic(now), cost) {
                        cell = charged;
                        written_at = now;
                        pending.push((charges.len(), charged));
                        charges.push((now, cost));
                    }
                }
                Event::GiveBack => {
                    let Some((index, charged)) = pending.pop() else { continue };
                    let (then, cost) = charges[index];
                    let elapsed = Nanos(written_at - then);
                    cell = returned(&limit, cell, charged, cost, elapsed);
                    charges[index].1 = 0;
                }
                Event::Earlier(..) => {}
            }
        }
        for (first, (begin, _)) in charges.iter().enumerate() {
            let mut sum = 0_u128;
            for (end, cost) in &charges[first..] {
                sum += u128::from(*cost);
                // sum ≤ burst + requests·t/per, in whole numbers.
                let flown = u128::from(requests) * u128::from(end - begin);
                prop_assert!(sum * u128::from(per.0) <= u128::from(burst) * u128::from(per.0) + flown);
            }
        }
    }

    #[test]
    fn a_give_back_leaves_no_more_than_was_there_without_the_charge(
        (requests, per, burst) in numbers(),
        before in prop::collection::vec((any::<u16>(), any::<u16>()), 0..8),
        ours in any::<u16>(),
        after in prop::collection::vec((any::<u16>(), any::<u16>()), 0..8),
    ) {
        let Some(limit) = bucket(requests, per, burst) else { return Ok(()) };
        let mut now = NOON.monotonic.0;
        let mut cell = limit.fresh();
        for (share, pause) in before {
            cell = limit.charge(cell, monotonic(now), cost(&limit, share)).unwrap_or(cell);
            now = later(now, span(&limit, pause) / 16);
        }
        // One bucket is charged by us, its twin is not; both by everybody who gets through on ours.
        let (begun, ours) = (now, cost(&limit, ours));
        let mut untouched = cell;
        let Ok(charged) = limit.charge(cell, monotonic(now), ours) else { return Ok(()) };
        let mut touched = charged;
        let mut written_at = now;
        for (share, pause) in after {
            now = later(now, span(&limit, pause) / 16);
            let cost = cost(&limit, share);
            if let Ok(next) = limit.charge(touched, monotonic(now), cost) {
                touched = next;
                written_at = now;
                untouched = limit.charge(untouched, monotonic(now), cost).expect("more was left");
            }
        }
        let given = returned(&limit, touched, charged, ours, Nanos(written_at - begun));
        for pause in [0, 1, span(&limit, 4_000), span(&limit, 30_000)] {
            let then = monotonic(later(now, pause));
            let (left, reset) = limit.quota(given, then);
            let (most, soonest) = limit.quota(untouched, then);
            prop_assert!(left <= most && reset >= soonest);
        }
        if written_at == begun {
            // At once, all of it comes back.
            prop_assert_eq!(limit.quota(given, monotonic(now)), limit.quota(untouched, monotonic(now)));
        }
    }
}

/// `now` later by `span`, within the times that matter.
pub fn later(now: u64, span: u64) -> u64 {
    now.saturating_add(span).min(1 << 62)
}

pub fn monotonic(now: u64) -> Now {
    Now {
        monotonic: Instant(now),
        ..NOON
    }
}
