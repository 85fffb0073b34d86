//! The state of one limit as it is stored: 28 bytes that say what they count.
//!
//! A cell outlives the configuration that wrote it. Its tag names the algorithm and the period, so a limit
//! can tell whether it may go on from there; its numbers suffice to tell what forgetting it would forgive.

use std::num::NonZeroU64;

use super::calendar::Span;
use super::gcra::FullAt;
use super::window::{Count, Window};
use crate::units::{Instant, Nanos, Now};

/// Bytes of a stored cell.
pub const CELL_LEN: usize = 28;

/// One stored cell; all zero is an empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// What the numbers count.
    pub tag: Tag,
    /// A bucket's full instant, or a window's number.
    at: u64,
    /// The rest of a bucket's instant, or a window's count.
    count: u32,
    /// A bucket's capacity and what is missing beyond it, or the count of the window before.
    extra: u32,
    /// Requests per period, under which the rest was written.
    limit: u32,
}

impl Cell {
    /// The cell of a bucket that refills `requests` and holds `capacity`, with what is missing beyond it.
    #[must_use]
    pub const fn bucket(tag: Tag, state: FullAt, requests: u32, capacity: u32) -> Self {
        Self {
            tag,
            at: state.instant.0,
            count: state.rest,
            extra: capacity,
            limit: requests,
        }
    }

    /// The cell of a window that admits `limit`.
    #[must_use]
    pub const fn window(tag: Tag, state: Count, limit: u32) -> Self {
        Self {
            tag,
            at: state.index,
            count: state.current,
            extra: state.previous,
            limit,
        }
    }

    /// A bucket's state; its rest is in units of the [`Self::limit`] it was written under.
    #[must_use]
    pub const fn full_at(&self) -> FullAt {
        FullAt {
            instant: Instant(self.at),
            rest: self.count,
        }
    }

    /// Requests per period when it was written.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// What a bucket held when it was written, with what was missing beyond it.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.extra
    }

    /// A window's state.
    #[must_use]
    pub const fn counted(&self) -> Count {
        Count {
            index: self.at,
            current: self.count,
            previous: self.extra,
        }
    }

    /// The share of the limit that forgetting this cell would forgive: 0 is none, 1 is all of it.
    #[must_use]
    pub fn harm(&self, now: Now) -> f64 {
        let harm = match self.tag.kind() {
            Kind::Empty => 0.0,
            Kind::Bucket { period } => {
                let missing =
                    Instant(self.at).since(now.monotonic).0 as f64 * f64::from(self.limit);
                missing / (period.0.max(1) as f64 * f64::from(self.extra.max(1)))
            }
            Kind::Window { span, sliding } => Window {
                limit: self.limit,
                span,
                sliding,
            }
            .used(self.counted(), now.unix),
        };
        harm.clamp(0.0, 1.0)
    }

    /// As stored.
    #[must_use]
    pub fn encode(&self) -> [u8; CELL_LEN] {
        let mut out = [0; CELL_LEN];
        put(&mut out, 0, self.tag.0.to_le_bytes());
        put(&mut out, 8, self.at.to_le_bytes());
        put(&mut out, 16, self.count.to_le_bytes());
        put(&mut out, 20, self.extra.to_le_bytes());
        put(&mut out, 24, self.limit.to_le_bytes());
        out
    }

    /// From what was stored. Every byte pattern is some cell.
    #[must_use]
    pub fn decode(bytes: &[u8; CELL_LEN]) -> Self {
        Self {
            tag: Tag(u64::from_le_bytes(field(bytes, 0))),
            at: u64::from_le_bytes(field(bytes, 8)),
            count: u32::from_le_bytes(field(bytes, 16)),
            extra: u32::from_le_bytes(field(bytes, 20)),
            limit: u32::from_le_bytes(field(bytes, 24)),
        }
    }
}

/// The field at `at`, which is within a cell.
fn field<const N: usize>(cell: &[u8; CELL_LEN], at: usize) -> [u8; N] {
    let field = cell.get(at..).and_then(|rest| rest.first_chunk());
    field.copied().unwrap_or([0; N])
}

/// Writes `field` at `at`, in its place within a cell.
fn put<const N: usize>(cell: &mut [u8; CELL_LEN], at: usize, field: [u8; N]) {
    if let Some(place) = cell.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = field;
    }
}

/// Algorithm, period and offset in 64 bits, without loss. Zero is an empty cell.
///
/// From the top: 2 bits algorithm, 1 bit calendar month, 14 bits offset in minutes, 47 bits period in
/// milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tag(u64);

/// What a tag says.
enum Kind {
    Empty,
    Bucket { period: Nanos },
    Window { span: Span, sliding: bool },
}

const BUCKET: u64 = 1 << 62;
const FIXED: u64 = 2 << 62;
const SLIDING: u64 = 3 << 62;
const MONTH: u64 = 1 << 61;
const OFFSET_SHIFT: u32 = 47;
const OFFSET_MASK: u64 = (1 << 14) - 1;
const PERIOD_MASK: u64 = (1 << OFFSET_SHIFT) - 1;
const MINUTE: u64 = 60 * Nanos::SECOND.0;
/// Added to a month's offset from UTC, so that it is never negative.
const MONTH_OFFSET_BIAS: i16 = 1_440;

impl Tag {
    /// The tag of a token bucket.
    #[must_use]
    pub const fn of_bucket(period: Nanos) -> Self {
        Self(BUCKET | millis(period.0))
    }

    /// The tag of a window.
    #[must_use]
    pub fn of_window(window: &Window) -> Self {
        let algorithm = if window.sliding { SLIDING } else { FIXED };
        Self(
            algorithm
                | match window.span {
                    Span::Every { length, offset } => {
                        millis(length.get()) | ((offset.0 / MINUTE) & OFFSET_MASK) << OFFSET_SHIFT
                    }
                    Span::Month { utc_offset_minutes } => {
                        let offset = utc_offset_minutes.saturating_add(MONTH_OFFSET_BIAS);
                        MONTH | u64::try_from(offset).unwrap_or(0) << OFFSET_SHIFT
                    }
                },
        )
    }

    fn kind(self) -> Kind {
        let period = Nanos((self.0 & PERIOD_MASK).saturating_mul(Nanos::MILLISECOND.0));
        let offset = self.0 >> OFFSET_SHIFT & OFFSET_MASK;
        match self.0 & SLIDING {
            0 => Kind::Empty,
            BUCKET => Kind::Bucket { period },
            algorithm => {
                let span = if self.0 & MONTH != 0 {
                    let offset = i16::try_from(offset).unwrap_or(MONTH_OFFSET_BIAS);
                    Span::Month {
                        utc_offset_minutes: offset - MONTH_OFFSET_BIAS,
                    }
                } else {
                    let length = NonZeroU64::new(period.0).unwrap_or(NonZeroU64::MIN);
                    Span::Every {
                        length,
                        offset: Nanos(offset * MINUTE % length),
                    }
                };
                Kind::Window {
                    span,
                    sliding: algorithm == SLIDING,
                }
            }
        }
    }
}

const fn millis(nanos: u64) -> u64 {
    (nanos / Nanos::MILLISECOND.0) & PERIOD_MASK
}

#[cfg(test)]
mod tests;
