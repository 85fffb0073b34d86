//! What is said to a limiter and what its answers mean: bytes out, bytes in.
//!
//! Three engines speak three protocols; whoever takes quota sees one. Every answer becomes the same few facts
//! ([`Told`]) or a [`Fault`], and nothing is granted that an engine has not said in full: what is cut, contradicts
//! itself, or says a thing twice is a fault.

mod descriptor;
mod envoy_ratelimit;
mod gubernator;
mod json;
mod limitador;

pub use descriptor::Descriptor;

use crate::local::limit::Limit;
use crate::units::{Nanos, Numbers, UnixTime};

/// The most of an answer's body that is read, in bytes. A thousand asks of usual keys that each fail with a text of
/// their own are answered with half of it.
pub const MAX_BODY: usize = 1 << 20;

/// The engines that keep quotas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// envoyproxy/ratelimit, its `/json`.
    EnvoyRatelimit,
    /// Gubernator v2.
    Gubernator,
    /// Limitador.
    Limitador,
}

/// How a rule takes its quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Ahead of need, many at once.
    #[default]
    Lease,
    /// One debit for each request, which waits for it.
    PerRequest,
}

/// One debit that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// What is debited.
    pub descriptor: &'a Descriptor,
    /// How much; 0 only looks. No sum of these comes near 2^64, where two of the engines' counters wrap.
    pub hits: u32,
    /// What the rule says, for an engine that keeps no limits of its own.
    pub limit: &'a Limit,
}

/// A request to a limiter: a POST of `application/json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The value of `:path`.
    pub path: &'static str,
    /// The body.
    pub body: String,
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The value of `:status`; `None` when the answer broke off and the host has none.
    pub status: Option<u16>,
    /// All header fields, names in any case.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// The body; what is longer than [`MAX_BODY`] is a fault.
    pub body: &'a [u8],
}

/// What a limiter said of one ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whether all hits were debited. Of an ask for 0 it says nothing that can be relied on: see
    /// [`Counter::remaining`].
    pub granted: bool,
    /// What the engine counted it by; `None` when no limit of its own matched, so that it would grant anything.
    pub counter: Option<Counter>,
}

/// A counter as an engine described it, after the ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// What it admits per [`Self::per`]; [`Numbers::UNLIMITED`] where the engine has an entry that admits anything.
    pub limit: u32,
    /// Its period; `None` when the engine did not say, or named a unit that is not known here.
    pub per: Option<Nanos>,
    /// What is left; `None` when the engine did not say. May be more than the limit where a bucket holds more.
    pub remaining: Option<u32>,
    /// When the window ends, or the bucket is full; `None` when the engine did not say.
    pub reset: Option<Reset>,
}

/// When a window ends, as exactly as its engine tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// So long after the answer was made, or up to a second sooner.
    RoundedUp(Nanos),
    /// So long after the answer was made, or up to a second later.
    RoundedDown(Nanos),
    /// Then, by the limiter's clock.
    At(UnixTime),
    /// At the next multiple of the period in Unix time: the answer does not say, but the engine's windows end there.
    Aligned,
}

/// Why an ask has no answer. It may have been debited all the same, or may be yet: to ask again can charge twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No answer in time: the host's own 504, or that of a server on the way.
    Timeout,
    /// No connection, or one that broke: the host's own 503, that of a server on the way, or no status at all.
    Unreachable,
    /// A status with which the engine neither grants nor refuses.
    Status(u16),
    /// A status that might be the engine's with a body or headers that are not, or that contradict it.
    Body,
    /// Answers to another number of asks.
    Count,
    /// The engine failed at this ask alone.
    Item,
}

impl Engine {
    /// The request that asks for all of `asks`, of which there are 1 to [`Self::most_asks`].
    #[must_use]
    pub fn call(self, domain: &str, asks: &[Ask<'_>]) -> Call {
        match self {
            Self::EnvoyRatelimit => envoy_ratelimit::call(domain, asks),
            Self::Gubernator => gubernator::call(domain, asks),
            Self::Limitador => limitador::call(domain, asks),
        }
    }

    /// What an answer says of each of the `asked` asks of one call, in their order.
    ///
    /// # Errors
    /// [`Fault`] when it says nothing that can be relied on of any of them; that of one ask alone is in its place.
    pub fn read(
        self,
        asked: usize,
        answer: &Answer<'_>,
    ) -> Result<Vec<Result<Told, Fault>>, Fault> {
        let status = match answer.status {
            None | Some(503) => return Err(Fault::Unreachable),
            Some(504) => return Err(Fault::Timeout),
            Some(status) => status,
        };
        if answer.body.len() > MAX_BODY {
            return Err(Fault::Body);
        }
        match self {
            Self::EnvoyRatelimit => envoy_ratelimit::read(status, asked, answer.body),
            Self::Gubernator => gubernator::read(status, asked, answer.body),
            Self::Limitador => limitador::read(status, asked, answer),
        }
    }

    /// The most asks in one call.
    #[must_use]
    pub const fn most_asks(self) -> usize {
        match self {
            Self::EnvoyRatelimit => envoy_ratelimit::MOST_ASKS,
            Self::Gubernator => gubernator::MOST_ASKS,
            Self::Limitador => 1,
        }
    }

    /// The most calls of one worker that are under way at once; who comes meanwhile shares the next one.
    #[must_use]
    pub const fn most_calls(self) -> usize {
        match self {
            Self::EnvoyRatelimit | Self::Gubernator => 4,
            // Each asks about one counter only.
            Self::Limitador => 32,
        }
    }

    /// Whether it counts what it refuses.
    #[must_use]
    pub const fn burns(self) -> bool {
        matches!(self, Self::EnvoyRatelimit)
    }

    /// Whether it may grant more than its limit: where it only watches a limit, in shadow mode.
    #[must_use]
    pub const fn shadows(self) -> bool {
        matches!(self, Self::EnvoyRatelimit)
    }

    /// Whether it can keep such a limit for a rule of that mode.
    ///
    /// # Errors
    /// What it can do instead.
    pub fn supports(self, limit: &Limit, mode: Mode) -> Result<(), &'static str> {
        match self {
            Self::EnvoyRatelimit => envoy_ratelimit::supports(limit),
            Self::Gubernator => gubernator::supports(limit, mode),
            Self::Limitador => limitador::supports(limit, mode),
        }
    }

    /// Whether a limit of a descriptor also counts requests that have more entries.
    #[must_use]
    pub const fn matches_subsets(self) -> bool {
        matches!(self, Self::Limitador)
    }

    /// Whether a descriptor may have several entries of one key.
    #[must_use]
    pub const fn takes_repeated_keys(self) -> bool {
        // Its entries are the members of an object, of which the last of a name counts.
        !matches!(self, Self::Limitador)
    }
}

impl Counter {
    /// That of an entry which admits anything.
    pub(crate) const UNLIMITED: Self = Self {
        limit: Numbers::UNLIMITED,
        per: None,
        remaining: Some(u32::MAX),
        reset: Some(Reset::Aligned),
    };

    /// Whether the engine has an entry that admits anything.
    #[must_use]
    pub const fn is_unlimited(&self) -> bool {
        self.limit == Numbers::UNLIMITED
    }

    /// What the engine counts by, where the configuration says `per`.
    #[must_use]
    pub fn numbers(&self, per: Nanos) -> Numbers {
        Numbers {
            requests: self.limit,
            per: self.per.unwrap_or(per),
        }
    }
}

impl Reset {
    /// The latest that the window can end, when the answer came at `arrived` and a window lasts `per`: from then on
    /// who was refused may ask again. Whatever the limiter or its clock say, that is not more than `per` away.
    #[must_use]
    pub fn latest(self, arrived: UnixTime, per: Nanos) -> UnixTime {
        let elapsed = || arrived.0.checked_rem(per.0).unwrap_or(0);
        let end = match self {
            Self::RoundedUp(after) => arrived.plus(after),
            Self::RoundedDown(after) => arrived.plus(after).plus(Nanos::SECOND),
            Self::At(time) => time,
            Self::Aligned => arrived.plus(Nanos(per.0.saturating_sub(elapsed()))),
        };
        end.min(arrived.plus(per))
    }
}

impl Fault {
    /// Its kind, as metrics name it.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Status(_) => "status",
            Self::Body => "body",
            Self::Count => "count",
            Self::Item => "item",
        }
    }
}

#[cfg(test)]
mod tests;
