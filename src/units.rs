//! Times and amounts, each with its unit and zero point in its type.

/// A span of time in nanoseconds, 0 to about 584 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

impl Nanos {
    /// One millisecond.
    pub const MILLISECOND: Self = Self(1_000_000);
    /// One second.
    pub const SECOND: Self = Self(1_000_000_000);
    /// One day of 86,400 seconds.
    pub const DAY: Self = Self(86_400 * Self::SECOND.0);

    /// Whole seconds, rounded up: what a header that must never be early can say.
    #[must_use]
    pub const fn seconds_up(self) -> u64 {
        self.0.div_ceil(Self::SECOND.0)
    }
}

/// A point on the monotonic clock: nanoseconds since a zero that all workers of one proxy share.
///
/// Token buckets live on it: it neither steps nor says what day it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

impl Instant {
    /// This instant later by `span`; saturates.
    #[must_use]
    pub const fn plus(self, span: Nanos) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// Time from `earlier` to this instant; zero when `earlier` is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A point on the wall clock: nanoseconds since 1970-01-01T00:00:00Z. It may step either way.
///
/// Windows live on it: they are aligned to what people call an hour or a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// This time later by `span`; saturates.
    #[must_use]
    pub const fn plus(self, span: Nanos) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// Whole seconds since the epoch, rounded up.
    #[must_use]
    pub const fn seconds_up(self) -> u64 {
        self.0.div_ceil(Nanos::SECOND.0)
    }
}

/// Both clocks, read together once for a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic.
    pub monotonic: Instant,
    /// Wall clock.
    pub unix: UnixTime,
}

/// What a limit admits per period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Requests per [`Self::per`]; [`Self::UNLIMITED`] is no bound.
    pub requests: u32,
    /// Length of the period.
    pub per: Nanos,
}

impl Numbers {
    /// Stands for no bound: no limit of an engine is read as this number.
    pub const UNLIMITED: u32 = u32::MAX;
}

/// When a refused request would be admitted, if nobody else took the quota first.
///
/// *Not now* and *never* are different answers: only the first has a Retry-After.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// Exactly after this span, and not 1 ns before.
    After(Nanos),
    /// Never: the limit is 0, or the cost exceeds what the limit can ever hold.
    Never,
}
