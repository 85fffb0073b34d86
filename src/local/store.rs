//! What the core asks of the proxy's shared data, and the two dialects of compare-and-swap.

/// Keys and values that all workers of a proxy share.
///
/// Nothing is ever deleted: on Envoy nothing can be.
pub trait SharedData {
    /// A value and the number that a compare-and-swap needs; `None` when there is no such key.
    ///
    /// # Errors
    /// [`Fault`] when the host cannot tell.
    fn get(&mut self, key: &[u8]) -> Result<Option<(Vec<u8>, u32)>, Fault>;

    /// Writes a value if the key's number still is `cas`; what numbers that no value has mean is the
    /// host's [`Dialect`].
    ///
    /// # Errors
    /// [`Fault`] when the host cannot write at all; losing the race is [`Swap::Lost`].
    fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<Swap, Fault>;
}

/// Outcome of a compare-and-swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Swap {
    /// Written.
    Done,
    /// Somebody else wrote first; nothing was changed.
    Lost,
}

/// The shared data cannot be used; whose fault that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The host answered with this status.
    Host(i32),
    /// The key holds what somebody else keeps there: another table whose key has the same CRC, on Kong.
    Foreign,
}

/// What a host's compare-and-swap does with a number that no value has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Zero overwrites; any other number inserts when the key is absent (Envoy).
    ZeroOverwrites,
    /// Zero inserts when the key is absent; any other number then fails (Kong).
    ZeroInserts,
}

impl Dialect {
    /// The number that inserts a key only if it is absent.
    #[must_use]
    pub const fn insert(self) -> u32 {
        match self {
            // Envoy's numbers come from one counter: it gets here after four billion writes, once.
            Self::ZeroOverwrites => u32::MAX,
            Self::ZeroInserts => 0,
        }
    }
}

/// What the workers of a proxy agree on, published once by the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Founding {
    /// How the host compares and swaps.
    pub dialect: Dialect,
    /// Key of all fingerprints, so that clients can neither aim at a slot nor collide on purpose.
    pub seed: [u8; 16],
}

/// Where the founding is kept. The digit is the format's version, as in every key.
const FOUNDING_KEY: &[u8] = b"w1";

impl Founding {
    /// Joins what another worker has founded, or founds it with `seed`.
    ///
    /// # Errors
    /// [`Fault`] when the shared data cannot be used.
    pub fn join(data: &mut impl SharedData, seed: [u8; 16]) -> Result<Self, Fault> {
        if let Some(found) = Self::read(data)? {
            return Ok(found);
        }
        // Each dialect's insert cannot succeed on a host of the other, so the first that does tells.
        for dialect in [Dialect::ZeroOverwrites, Dialect::ZeroInserts] {
            let own = Self { dialect, seed };
            if data.set(FOUNDING_KEY, &own.encode(), dialect.insert())? == Swap::Done {
                return Ok(own);
            }
            // Lost: to another worker, or because the host does not speak this dialect.
            if let Some(found) = Self::read(data)? {
                return Ok(found);
            }
        }
        Err(Fault::Foreign)
    }

    fn read(data: &mut impl SharedData) -> Result<Option<Self>, Fault> {
        match data.get(FOUNDING_KEY)? {
            None => Ok(None),
            Some((bytes, _)) => Self::decode(&bytes).map(Some).ok_or(Fault::Foreign),
        }
    }

    fn encode(&self) -> [u8; 17] {
        let mut out = [0; 17];
        let dialect = match self.dialect {
            Dialect::ZeroOverwrites => b'o',
            Dialect::ZeroInserts => b'i',
        };
        for (to, from) in out
            .iter_mut()
            .zip(std::iter::once(dialect).chain(self.seed))
        {
            *to = from;
        }
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (dialect, seed) = bytes.split_first()?;
        let dialect = match dialect {
            b'o' => Dialect::ZeroOverwrites,
            b'i' => Dialect::ZeroInserts,
            _ => return None,
        };
        Some(Self {
            dialect,
            seed: seed.try_into().ok()?,
        })
    }
}

/// The number of what a domain keeps in `max_keys` places: filters share it if they agree in both.
#[must_use]
pub fn namespace(domain: &str, max_keys: u32) -> u32 {
    let mut name = max_keys.to_le_bytes().to_vec();
    name.extend_from_slice(domain.as_bytes());
    upper_half(checksum(&name))
}

/// The bits of a fingerprint or a sum that say where a thing is kept.
#[must_use]
pub fn upper_half(number: u64) -> u32 {
    u32::try_from(number >> 32).unwrap_or(0)
}

/// A sum of names, and of values against torn reads: every bit of every word moves half of it.
///
/// Not a keyed hash: what is summed is not a client's to choose, and on the hot path SipHash over a set costs
/// as much as everything else together.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u64 {
    // Odd, with bits all over: the fraction of the golden ratio.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(FACTOR).rotate_left(29);
    let mix_word = |sum: u64, word: &[u8; 8]| mix(sum, u64::from_le_bytes(*word));
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    // By fours, since a third of the time word by word is the loop's.
    let (words, rest) = bytes.as_chunks();
    let (fours, words) = words.as_chunks();
    let sum = fours.iter().fold(length, |sum, [a, b, c, d]| {
        mix_word(mix_word(mix_word(mix_word(sum, a), b), c), d)
    });
    let sum = words.iter().fold(sum, mix_word);
    let sum = rest
        .iter()
        .fold(sum, |sum, byte| mix(sum, u64::from(*byte)));
    // The last word has met one factor only.
    mix(mix(sum, 0), 0)
}

#[cfg(test)]
pub mod memory;
#[cfg(test)]
mod tests;
