//! The proxy's clocks.

use super::call::{self, Outcome};
use crate::units::{Instant, Nanos, Now, UnixTime};

/// How far the clocks may drift apart before the wall clock is set anew.
///
/// Two readings of both are never equally far apart: without this the end of one window would be told as two
/// different instants, and as two different seconds when it falls on one.
const DRIFT: Nanos = Nanos::MILLISECOND;

/// Reads time, the wall clock only where its last reading will not do.
///
/// Each reading costs the host about 1,300 instructions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// Wall clock minus monotonic clock, within [`DRIFT`].
    skew: Nanos,
}

/// The monotonic clock, and how far the wall clock is ahead of it.
fn read_pair() -> Outcome<(Instant, Nanos)> {
    let unix = call::clock(call::Clock::Realtime)?;
    let monotonic = call::clock(call::Clock::Monotonic)?;
    Ok((Instant(monotonic), Nanos(unix.saturating_sub(monotonic))))
}

impl Clock {
    /// Both clocks.
    pub fn read_both(&mut self) -> Outcome<Now> {
        let (mut monotonic, skew) = read_pair()?;
        if skew.0.abs_diff(self.skew.0) > DRIFT.0 {
            // A thread that was held up between its two readings has one that is too small, and only ever that.
            let (again, confirmed) = read_pair()?;
            monotonic = again;
            self.skew = skew.max(confirmed);
        }
        Ok(Now {
            monotonic,
            unix: UnixTime(monotonic.0).plus(self.skew),
        })
    }

    /// The monotonic clock; the wall clock as of the last reading of both.
    pub fn read_monotonic(&self) -> Outcome<Now> {
        let monotonic = Instant(call::clock(call::Clock::Monotonic)?);
        Ok(Now {
            monotonic,
            unix: UnixTime(monotonic.0).plus(self.skew),
        })
    }
}
