//! The proxy's clocks.

use super::call::{self, Outcome};
use crate::units::{Instant, Nanos, Now, UnixTime};

/// Reads time, the wall clock only where its last reading will not do.
///
/// Each reading costs the host about 1,300 instructions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// Wall clock minus monotonic clock when both were last read.
    skew: Nanos,
}

impl Clock {
    /// Both clocks.
    pub fn read_both(&mut self) -> Outcome<Now> {
        let unix = UnixTime(call::clock(call::Clock::Realtime)?);
        let monotonic = Instant(call::clock(call::Clock::Monotonic)?);
        self.skew = Nanos(unix.0.saturating_sub(monotonic.0));
        Ok(Now { monotonic, unix })
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
