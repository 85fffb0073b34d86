//! The limiter that global rules ask, and how it is asked.

use std::fmt;

use crate::global::breaker::Terms;
use crate::global::wire::Engine;
use crate::units::Nanos;

/// A rate limit service, and how it is asked.
#[derive(Debug)]
pub struct Service {
    /// Whose protocol it speaks.
    pub engine: Engine,
    /// The proxy's name for it: an Envoy cluster.
    pub cluster: Box<str>,
    /// The `:authority` of calls.
    pub authority: Box<str>,
    /// The most that a call may take, 1 ms to 60 s.
    pub timeout: Nanos,
    /// The most that a request waits for an answer.
    pub max_wait: MaxWait,
    /// What becomes of a request that gets none.
    pub on_error: OnError,
    /// What values must not be taken for: the keys of all descriptors, where the service joins keys and values by `_`;
    /// otherwise empty.
    pub joined_keys: Vec<Box<str>>,
    /// The most requests that wait in one worker.
    pub max_parked: usize,
    /// Headers of every call besides those that it needs; names in lower case. At most 16.
    pub headers: Vec<(Box<str>, Secret)>,
    /// When it is left alone, and for how long.
    pub breaker: Terms,
    /// First calls for keys of which this proxy holds no lease, a second and worker, 1 to 1,000,000; beyond, `on_error`
    /// holds.
    pub cold_keys_per_second: u32,
}

/// The most that a request waits for an answer, by the rules that it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxWait {
    /// Where leases are taken of all of them.
    pub lease: Nanos,
    /// Where one of them asks for each request.
    pub per_request: Nanos,
}

impl MaxWait {
    /// That of a request, by whether one of its rules asks for each request.
    #[must_use]
    pub const fn of(self, asks_by_itself: bool) -> Nanos {
        match asks_by_itself {
            true => self.per_request,
            false => self.lease,
        }
    }
}

/// A text that may be a credential, of 1 to 8,192 bytes: no message and no dump shows it.
pub struct Secret(pub Box<str>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What becomes of a request when the service did not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// It is counted in this proxy, against its share: the limit by the number of proxies, at least 1.
    #[default]
    Local,
    /// It passes, counted as uncharged.
    Allow,
    /// It is refused with 503.
    Deny,
}
