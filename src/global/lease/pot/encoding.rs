//! A pot as a value of the shared data.
//!
//! ```text
//! 0    u64        checksum of all that follows
//! 8    u64        fingerprint of rule, key and limit, so that a value says whose it is
//! 16   u64 u64    bounds of the window's end; 0 when there is none
//! 32   u64        when the debit was sent that told what is left
//! 40   u64        end of the refusal
//! 48   u64        end of the oldest call under way
//! 56   u64        end of the call that asks ahead
//! 64   u64        begin of the span that the rate is counted in
//! 72   u64        what the limiter counts by, and whether it only watches
//! 80   u32        number of the window
//! 84   u32 u32    tokens, and how many there were after the last grant
//! 92   u32        left at the limiter; all ones when nothing was told
//! 96   u32 u32    under way, in doubt
//! 104  u32 u32    admitted without the limiter, and what of that it must be told
//! 112  u32 u32    rate: in this span, in the one before
//! ```
//! All numbers are little-endian; times are nanoseconds on the monotonic clock.

use super::{Pot, Told};
use crate::global::lease::Rate;
use crate::global::lease::span::Ends;
use crate::local::store::checksum;
use crate::units::Instant;

/// Bytes of a pot.
pub const POT_LEN: usize = 120;

/// What stands for *nothing was told*.
const UNTOLD: u32 = u32::MAX;

impl Pot {
    /// The value to store.
    #[must_use]
    pub fn encode(&self, fingerprint: u64) -> [u8; POT_LEN] {
        let (earliest, latest) = self
            .window
            .map_or((0, 0), |window| (window.earliest.0, window.latest.0));
        let longs = [
            fingerprint,
            earliest,
            latest,
            self.told_at.0,
            self.refused_until.0,
            self.in_flight_until.0,
            self.ahead_until.0,
            self.rate.since.0,
            self.told.0,
        ];
        let shorts = [
            self.number,
            self.tokens,
            self.leased,
            self.remaining.unwrap_or(UNTOLD),
            self.in_flight,
            self.doubtful,
            self.alone,
            self.owed,
            self.rate.current,
            self.rate.previous,
        ];
        let mut value = [0; POT_LEN];
        let (sum, body) = value.split_at_mut(size_of::<u64>());
        let (of_longs, of_shorts) = body.split_at_mut(size_of_val(&longs));
        for (place, long) in of_longs.as_chunks_mut().0.iter_mut().zip(longs) {
            *place = long.to_le_bytes();
        }
        for (place, short) in of_shorts.as_chunks_mut().0.iter_mut().zip(shorts) {
            *place = short.to_le_bytes();
        }
        sum.copy_from_slice(&checksum(body).to_le_bytes());
        value
    }

    /// Whose a stored value says it is; zero for the empty one.
    #[must_use]
    pub fn fingerprint(value: &[u8; POT_LEN]) -> u64 {
        let after_sum = value.get(size_of::<u64>()..).and_then(<[u8]>::first_chunk);
        after_sum.copied().map_or(0, u64::from_le_bytes)
    }

    /// A pot from a stored value; `None` when that is torn, broken, or of another fingerprint.
    #[must_use]
    pub fn decode(bytes: &[u8; POT_LEN], fingerprint: u64) -> Option<Self> {
        let (sum, body) = bytes.split_first_chunk()?;
        let mut rest = body;
        if u64::from_le_bytes(*sum) != checksum(body) || long(&mut rest)? != fingerprint {
            return None;
        }
        let (earliest, latest) = (long(&mut rest)?, long(&mut rest)?);
        let window = Ends {
            earliest: Instant(earliest),
            latest: Instant(latest),
        };
        let told_at = Instant(long(&mut rest)?);
        let refused_until = Instant(long(&mut rest)?);
        let in_flight_until = Instant(long(&mut rest)?);
        let ahead_until = Instant(long(&mut rest)?);
        let since = Instant(long(&mut rest)?);
        let told = Told(long(&mut rest)?);
        Some(Self {
            window: (latest != 0).then_some(window),
            told_at,
            refused_until,
            in_flight_until,
            ahead_until,
            number: short(&mut rest)?,
            tokens: short(&mut rest)?,
            leased: short(&mut rest)?,
            remaining: Some(short(&mut rest)?).filter(|remaining| *remaining != UNTOLD),
            in_flight: short(&mut rest)?,
            doubtful: short(&mut rest)?,
            alone: short(&mut rest)?,
            owed: short(&mut rest)?,
            rate: Rate {
                since,
                current: short(&mut rest)?,
                previous: short(&mut rest)?,
            },
            told,
        })
    }
}

fn long(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*first))
}

fn short(bytes: &mut &[u8]) -> Option<u32> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*first))
}
