//! The breaker that all workers of a proxy share, in shared data.

use super::{Breaker, Change, Event, Terms};
use crate::local::store::{Dialect, Fault, SharedData, Swap, checksum};
use crate::local::transaction::MAX_SWAPS;
use crate::units::Instant;

/// Where the breaker of one service is kept.
#[derive(Clone, Copy, Debug)]
pub struct SharedBreaker {
    key: [u8; 10],
    dialect: Dialect,
}

impl SharedBreaker {
    /// That of the service which this cluster and authority name: whoever calls the same one shares it.
    #[must_use]
    pub fn new(cluster: &str, authority: &str, dialect: Dialect) -> Self {
        let name = [cluster.as_bytes(), authority.as_bytes()].join(&0);
        let mut key = *b"b1\0\0\0\0\0\0\0\0";
        if let Some((_, number)) = key.split_first_chunk_mut::<2>() {
            number.copy_from_slice(&checksum(&name).to_le_bytes());
        }
        Self { key, dialect }
    }

    /// Its state; closed where the shared data cannot tell.
    pub fn read(&self, data: &mut impl SharedData) -> Breaker {
        self.load(data)
            .map_or(Breaker::default(), |(breaker, _)| breaker)
    }

    /// Takes in what happened; what changed by it is to be told once, by who has brought it about.
    pub fn tell(
        &self,
        data: &mut impl SharedData,
        event: Event,
        now: Instant,
        terms: &Terms,
    ) -> Option<Change> {
        self.rewrite(data, event, now, terms)?
    }

    /// Begins a probe; false when it is not time for one, or somebody else's is under way.
    pub fn begin_probe(&self, data: &mut impl SharedData, now: Instant, terms: &Terms) -> bool {
        self.rewrite(data, Event::ProbeSent, now, terms).is_some()
    }

    /// Writes the state after an event, and says what to tell of it; `None` where nothing is written.
    fn rewrite(
        &self,
        data: &mut impl SharedData,
        event: Event,
        now: Instant,
        terms: &Terms,
    ) -> Option<Option<Change>> {
        let jitter = checksum(&now.0.to_le_bytes());
        for _ in 0..MAX_SWAPS {
            let (before, cas) = self.load(data).ok()?;
            let (after, change) = before.after(event, now, terms, jitter);
            if after == before {
                return None;
            }
            let value = after.encode().to_le_bytes();
            if data.set(&self.key, &value, cas).ok()? == Swap::Done {
                return Some(change);
            }
        }
        None
    }

    fn load(&self, data: &mut impl SharedData) -> Result<(Breaker, u32), Fault> {
        Ok(match data.get(&self.key)? {
            None => (Breaker::default(), self.dialect.insert()),
            Some((bytes, cas)) => {
                let number = bytes.first_chunk().copied().map(u64::from_le_bytes);
                (Breaker::decode(number.unwrap_or(0)), cas)
            }
        })
    }
}
