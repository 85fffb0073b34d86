//! What the proofs share: a store in memory, limits, time, and reproducible chance.

pub mod chance;
pub mod memory;
pub mod proxy;

use std::num::{NonZeroU32, NonZeroU64};

use weir::local::calendar::Span;
use weir::local::gcra::Bucket;
use weir::local::limit::{Adopted, Algorithm, Limit};
use weir::local::window::Window;
use weir::units::{Instant, Nanos, Now, UnixTime};

pub const MINUTE: Nanos = Nanos(60 * Nanos::SECOND.0);
pub const HOUR: Nanos = Nanos(60 * MINUTE.0);

/// Noon of some day, on both clocks.
pub const NOON: Now = Now {
    monotonic: Instant(1_000_000 * Nanos::SECOND.0),
    unix: UnixTime(1_750_000_000 * Nanos::SECOND.0),
};

/// `since` after [`NOON`].
pub fn at(since: Nanos) -> Now {
    Now {
        monotonic: NOON.monotonic.plus(since),
        unix: NOON.unix.plus(since),
    }
}

/// A token bucket; `None` when it would fill too slowly to be one.
pub fn bucket(requests: u32, per: Nanos, burst: u32) -> Option<Limit> {
    let bucket = Bucket::new(NonZeroU32::new(requests)?, per, NonZeroU32::new(burst)?)?;
    Some(limit(requests, per, Algorithm::TokenBucket(bucket)))
}

/// A window of fixed length.
pub fn window(requests: u32, per: Nanos, sliding: bool) -> Limit {
    let span = Span::Every {
        length: NonZeroU64::new(per.0).expect("a window has a length"),
        offset: Nanos(0),
    };
    spanned(requests, per, span, sliding)
}

/// A window of any span.
pub fn spanned(requests: u32, per: Nanos, span: Span, sliding: bool) -> Limit {
    let window = Window {
        limit: requests,
        span,
        sliding,
    };
    limit(requests, per, Algorithm::Window(window))
}

/// What a limit counts from when it finds this cell, which was stored or is looked at at `from`.
pub fn found(limit: &Limit, cell: Adopted, from: Instant) -> Adopted {
    let own = limit.own(cell.cell());
    own.unwrap_or_else(|| limit.adopt(cell.cell(), from))
}

/// A counter from which a charge that it wrote is taken back.
pub fn returned(
    limit: &Limit,
    counter: Adopted,
    charged: Adopted,
    cost: u32,
    elapsed: Nanos,
) -> Adopted {
    let cell = limit.give_back(counter.cell(), charged, cost, elapsed);
    limit.own(cell).expect("its own as before")
}

fn limit(requests: u32, per: Nanos, algorithm: Algorithm) -> Limit {
    Limit {
        name: "limit".into(),
        policy: "rule".into(),
        requests,
        per,
        algorithm,
    }
}
