//! Token buckets whose numbers change, once or by turns.

use proptest::prelude::*;
use weir::local::limit::{Adopted, Limit};
use weir::units::{Instant, Nanos, Now, Wait};

use super::buckets::{cost, later, monotonic, numbers, span};
use super::model::Rational;
use crate::world::{bucket, found};

/// Something that happens to a bucket.
#[derive(Clone, Debug)]
enum Event {
    /// Time passes: a share of twice the time to fill, and a few ns.
    Later(u16, u64),
    /// A request of this share of the capacity, at least 1.
    Charge(u16),
    /// The limit is changed.
    Change(u32, u32),
}

fn event() -> impl Strategy<Value = Event> {
    let share = prop_oneof![Just(0), 0..=6_000_u16, any::<u16>()];
    prop_oneof![
        4 => share.prop_flat_map(|share| Just(Event::Charge(share))),
        2 => (prop_oneof![Just(0), 0..=2_000_u16, any::<u16>()], 0..5_u64)
            .prop_map(|(share, more)| Event::Later(share, more)),
        2 => (1..=1_000_u32, 1..=1_000_u32).prop_map(|(requests, burst)| Event::Change(requests, burst)),
    ]
}

/// Two configurations of one limit, such that the slower one could fill the larger one.
fn pair() -> impl Strategy<Value = [Limit; 2]> {
    let other = (
        prop_oneof![1..=10_u32, 1..=1_000_000_000_u32],
        1..=100_000_u32,
    );
    (numbers(), other).prop_filter_map("would fill too slowly", |(one, (requests, burst))| {
        let (first, per, capacity) = one;
        bucket(first.min(requests), per, capacity.max(burst))?;
        Some([bucket(first, per, capacity)?, bucket(requests, per, burst)?])
    })
}

/// How far workers' clocks are apart at most, in ns.
const BEHIND: u64 = 1_000_000;

/// A request to one of two configurations that share a cell.
#[derive(Clone, Debug)]
struct Request {
    configuration: usize,
    /// Time since the request before: a share of the time to fill, and a few ns.
    pause: (u16, u64),
    /// How much earlier than that its worker has read its clock.
    behind: u64,
    cost: u16,
    /// Whether a refusal is stored too.
    stored: bool,
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let pause = (prop_oneof![4 => Just(0), 1 => 0..=2_000_u16], 0..5_u64);
    let behind = prop_oneof![Just(0), 0..=1_000_u64, 0..=BEHIND];
    let cost = prop_oneof![0..=200_u16, any::<u16>()];
    let request = (0..2_usize, pause, behind, cost, any::<bool>());
    let request = request.prop_map(|(configuration, pause, behind, cost, stored)| Request {
        configuration,
        pause,
        behind,
        cost,
        stored,
    });
    prop::collection::vec(request, 1..120)
}

proptest! {
    #[test]
    fn a_change_of_limit_keeps_what_was_counted(
        (requests, per, burst) in numbers(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let Some(mut limit) = bucket(requests, per, burst) else { return Ok(()) };
        let mut model = Rational::new(requests, per, burst);
        let (mut cell, mut now, mut largest) = (limit.fresh(), monotonic(0), burst);
        now.monotonic = Instant(1 << 50);
        for event in events {
            match event {
                Event::Later(share, more) => {
                    now = monotonic(later(now.monotonic.0, span(&limit, share) + more));
                }
                Event::Charge(share) => {
                    let cost = cost(&limit, share);
                    let charged = limit.charge(found(&limit, cell, now.monotonic), now, cost);
                    prop_assert_eq!(charged.is_ok(), model.fits(now.monotonic.0, cost));
                    if let Ok(charged) = charged {
                        cell = charged;
                        model.charge(now.monotonic.0, cost);
                    }
                }
                Event::Change(requests, burst) => {
                    let Some(changed) = bucket(requests, per, burst) else { continue };
                    largest = largest.max(burst);
                    if bucket(requests, per, largest).is_none() { continue }
                    limit = changed;
                    cell = limit.adopt(cell.cell(), now.monotonic);
                    model.change(now.monotonic.0, requests, burst);
                    tells_the_truth(&limit, cell, now)?;
                }
            }
        }
    }

    /// Whoever counted last: never more than the larger burst, and what flows in at the higher rate.
    #[test]
    fn two_configurations_by_turns_mint_nothing(limits in pair(), requests in requests()) {
        let [one, other] = &limits;
        let (rate, burst) = (one.requests.max(other.requests), one.capacity().max(other.capacity()));
        let (mut cell, mut now, mut written_at) = (one.fresh(), 1 << 50, Instant(0));
        let mut charges: Vec<(u64, u32)> = Vec::new();
        for request in requests {
            let limit = &limits[request.configuration];
            now = later(now, span(limit, request.pause.0) / 2 + request.pause.1);
            let seen = monotonic(now - request.behind);
            let adopted = found(limit, cell, written_at.max(seen.monotonic));
            let cost = cost(limit, request.cost);
            match limit.charge(adopted, seen, cost) {
                Ok(charged) => {
                    charges.push((now, cost));
                    (cell, written_at) = (charged, written_at.max(seen.monotonic));
                }
                Err(_) if request.stored => {
                    (cell, written_at) = (adopted, written_at.max(seen.monotonic));
                }
                Err(_) => {}
            }
        }
        for (first, (begin, _)) in charges.iter().enumerate() {
            let mut sum = 0_u128;
            for (end, cost) in &charges[first..] {
                sum += u128::from(*cost);
                let span = u128::from(end - begin + BEHIND);
                let allowed = u128::from(burst) * u128::from(one.per.0) + u128::from(rate) * span;
                prop_assert!(sum * u128::from(one.per.0) <= allowed, "{sum} in {span} ns");
            }
        }
    }

    /// There and back loses nothing that the smaller one can hold, and less than one request of the rest.
    #[test]
    fn a_smaller_burst_that_is_taken_back_leaves_things_as_they_were(
        [one, other] in pair().prop_filter("smaller", |[one, other]| one.capacity() >= other.capacity()),
        before in prop::collection::vec((any::<u16>(), any::<u16>()), 1..20),
        pause in prop_oneof![Just(0), any::<u16>()],
    ) {
        let (mut cell, mut now) = (one.fresh(), 1 << 50);
        for (charge, pause) in before {
            cell = one.charge(cell, monotonic(now), cost(&one, charge)).unwrap_or(cell);
            now = later(now, span(&one, pause) / 16);
        }
        let now = monotonic(later(now, span(&one, pause)));
        let back = one.adopt(other.adopt(cell.cell(), now.monotonic).cell(), now.monotonic);
        let (left, reset) = one.quota(cell, now);
        let (left_then, reset_then) = one.quota(back, now);
        if left < other.capacity() {
            prop_assert_eq!((left_then, reset_then), (left, reset));
        }
        prop_assert!(left_then <= left && left - left_then <= 1);
        prop_assert!(reset_then >= reset);
    }

    /// More, or faster, and nobody waits longer for it.
    #[test]
    fn a_raise_ends_the_old_wait(
        (requests, per, burst) in numbers(),
        (more, larger) in (0..=1_000_u32, 0..=1_000_u32),
        drained in 0..=u16::MAX,
        pause in 0..=u16::MAX,
    ) {
        let Some(old) = bucket(requests, per, burst) else { return Ok(()) };
        let Some(new) = bucket(requests + more, per, burst + larger) else { return Ok(()) };
        let now = 1 << 50;
        let cell = old.charge(old.fresh(), monotonic(now), cost(&old, drained)).expect("it was full");
        let now = monotonic(later(now, span(&old, pause) / 8));
        let adopted = new.adopt(cell.cell(), now.monotonic);
        prop_assert!(new.quota(adopted, now).0 >= old.quota(cell, now).0);
        match (old.charge(cell, now, 1), new.charge(adopted, now, 1)) {
            (Err(Wait::After(before)), Err(Wait::After(after))) => prop_assert!(after <= before),
            (_, after) => prop_assert!(after.is_ok()),
        }
        tells_the_truth(&new, adopted, now)?;
    }
}

/// Who is refused is told no more than the time to fill, and let in then.
fn tells_the_truth(limit: &Limit, cell: Adopted, now: Now) -> Result<(), TestCaseError> {
    let charge = |now: Now| limit.charge(found(limit, cell, now.monotonic), now, 1);
    if let Err(Wait::After(wait)) = charge(now) {
        prop_assert!(wait <= limit.window());
        let promised = now.monotonic.0 + wait.0;
        prop_assert!(charge(monotonic(promised)).is_ok());
        let before = charge(monotonic(promised - 1));
        prop_assert_eq!(before, Err(Wait::After(Nanos(1))));
    }
    Ok(())
}
