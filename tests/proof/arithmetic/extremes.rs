//! Numbers at their bounds and bytes that mean nothing: no sum wraps, nothing panics.
//!
//! Tests check arithmetic for overflow, so that running is the proof.

use std::num::NonZeroU32;

use proptest::prelude::*;
use weir::local::cell::{CELL_LEN, Cell};
use weir::local::gcra::{Bucket, FullAt, MAX_FILL};
use weir::local::set::{Class, Place, Set};
use weir::local::store::checksum;
use weir::units::{Instant, Nanos, Now, UnixTime, Wait};

use crate::world::{bucket, window};

/// Any number, and the ends of its range as often.
fn edged(bits: u32) -> impl Strategy<Value = u64> {
    let top = u64::MAX >> (64 - bits);
    prop_oneof![
        Just(0),
        Just(1),
        Just(top),
        (0..=top, 0..bits).prop_map(|(number, shift)| number >> shift),
        (0..bits).prop_map(move |shift| top >> shift),
    ]
}

fn edged_u32() -> impl Strategy<Value = u32> {
    edged(32).prop_map(|number| u32::try_from(number).expect("32 bits"))
}

fn now() -> impl Strategy<Value = Now> {
    (edged(62), edged(64)).prop_map(|(monotonic, unix)| Now {
        monotonic: Instant(monotonic),
        unix: UnixTime(unix),
    })
}

const PLACE: Place = Place { table: 1, slot: 2 };

proptest! {
    #[test]
    fn every_bucket_that_is_accepted_counts_without_overflow(
        requests in edged_u32(),
        per in edged(64),
        capacity in edged_u32(),
        instant in edged(64),
        rest in edged_u32(),
        (old, held) in (edged_u32(), edged_u32()),
        (now, cost, elapsed) in (edged(62), edged_u32(), edged(64)),
    ) {
        let (Some(requests), Some(capacity)) = (NonZeroU32::new(requests), NonZeroU32::new(capacity))
        else { return Ok(()) };
        let Some(bucket) = Bucket::new(requests, Nanos(per), capacity) else { return Ok(()) };
        prop_assert!(bucket.fill_time().0 <= MAX_FILL.0 + 1);
        let now = Instant(now);
        let state = FullAt { instant: Instant(instant), rest: rest % requests };
        let (adopted, beyond) = bucket.adopt(FullAt { rest, ..state }, old, held, now);
        prop_assert!(adopted.instant.since(now).0 <= MAX_FILL.0);
        let kept = bucket.later(adopted, beyond);
        prop_assert!(kept.instant.since(now).0 <= MAX_FILL.0 + 1);
        prop_assert_eq!(bucket.earlier(kept, beyond), adopted);
        for state in [state, adopted] {
            let (left, _) = bucket.quota(state, now);
            prop_assert!(left <= capacity.get());
            let _ = bucket.give_back(state, cost.min(capacity.get()), Nanos(elapsed));
            match bucket.charge(state, now, cost) {
                Ok(charged) => {
                    prop_assert!(charged.instant >= now && charged.instant.since(now).0 <= MAX_FILL.0);
                }
                Err(Wait::After(wait)) => prop_assert!(cost <= capacity.get() && wait > Nanos(0)),
                Err(Wait::Never) => prop_assert!(cost > capacity.get()),
            }
        }
    }

    #[test]
    fn every_cell_counts_without_overflow(
        bytes in prop::array::uniform28(prop_oneof![Just(0_u8), Just(0xff), any::<u8>()]),
        (now, from, cost, elapsed) in (now(), edged(62), edged_u32(), edged(64)),
    ) {
        let from = Instant(from);
        let bytes: [u8; CELL_LEN] = bytes;
        let cell = Cell::decode(&bytes);
        prop_assert_eq!(cell.encode(), bytes);
        prop_assert!((0.0..=1.0).contains(&cell.harm(now)));
        let limits = [
            bucket(1, Nanos::DAY, 1),
            bucket(1_000_000_000, Nanos::MILLISECOND, 1_000_000_000),
            Some(window(1, Nanos::DAY, false)),
            Some(window(1_000_000_000, Nanos::MILLISECOND, true)),
        ];
        for limit in limits.into_iter().flatten() {
            // As if the limit itself had written such numbers.
            let mut own = bytes;
            own[..8].copy_from_slice(&limit_tag(&limit));
            for cell in [cell, Cell::decode(&own)] {
                let adopted = limit.own(cell).unwrap_or_else(|| limit.adopt(cell, from));
                let (left, _) = limit.quota(adopted, now);
                prop_assert!(left <= limit.capacity());
                let charged = limit.charge(adopted, now, cost);
                let charged = charged.unwrap_or(adopted);
                let _ = limit.give_back(cell, charged, cost.min(limit.capacity()), Nanos(elapsed));
            }
        }
    }

    #[test]
    fn a_set_of_anything_is_refused_or_harmless(
        mut bytes in prop::collection::vec(any::<u8>(), 0..400),
        class in 0..=8_usize,
        sum in any::<bool>(),
        now in now(),
    ) {
        let class = Class::for_limits(class);
        if sum {
            // As long as it should be, summed, and of the right place; its entries are noise.
            bytes.resize(class.set_len(), 0x5a);
            bytes[16..20].copy_from_slice(&PLACE.table.to_le_bytes());
            bytes[20..24].copy_from_slice(&PLACE.slot.to_le_bytes());
            let sum = checksum(&bytes[8..]);
            bytes[..8].copy_from_slice(&sum.to_le_bytes());
        }
        let parsed = Set::parse(bytes, PLACE, class);
        prop_assert_eq!(parsed.is_ok(), sum);
        if let Ok(mut set) = parsed {
            prop_assert!(set.live(now) <= 8);
            let cell = Cell::decode(&[7; CELL_LEN]);
            let _ = set.place(42, 1, std::iter::once(cell), now);
            prop_assert_eq!(set.find(42).and_then(|mut cells| cells.next()), Some(cell));
            let stored = set.seal(now.monotonic).to_vec();
            prop_assert!(Set::parse(stored, PLACE, class).is_ok());
        }
    }

    #[test]
    fn a_flipped_bit_is_no_set(bit in any::<prop::sample::Index>(), class in 1..=8_usize, now in now()) {
        let class = Class::for_limits(class);
        let mut set = Set::empty(PLACE, class);
        let _ = set.place(42, 1, std::iter::once(Cell::decode(&[7; CELL_LEN])), now);
        let mut bytes = set.seal(now.monotonic).to_vec();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(Set::parse(bytes, PLACE, class).is_err());
    }
}

/// The tag that a limit writes.
fn limit_tag(limit: &weir::local::limit::Limit) -> [u8; 8] {
    let bytes = limit.fresh().cell().encode();
    *bytes.first_chunk().expect("eight bytes")
}
