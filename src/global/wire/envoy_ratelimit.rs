//! envoyproxy/ratelimit over HTTP: `POST /json`, the JSON form of Envoy's `RateLimitRequest` (protobuf's mapping).
//!
//! The limits are the server's. It adds to a counter before it looks, so that a refusal burns what was left.

use super::json::{
    amount, digits, each, optional, parse, required, text, write_number, write_string,
};
use super::{Ask, Call, Counter, Fault, Reset, Told};
use crate::config::json::Node;
use crate::local::calendar::Span;
use crate::local::limit::{Algorithm, Limit};
use crate::local::window::Window;
use crate::units::{Nanos, Numbers};

/// The most descriptors in one call. The server names no bound, but it answers all at once: 16 took it 1 ms, 256 took
/// 8 to 18.
pub(super) const MOST_ASKS: usize = 256;

pub(super) fn call(domain: &str, asks: &[Ask<'_>]) -> Call {
    let mut body = String::new();
    write_string(&mut body, "{\"domain\":", domain);
    body.push_str(",\"descriptors\":[");
    let mut descriptor = "{\"entries\":[";
    for ask in asks {
        body.push_str(descriptor);
        let mut entry = "{\"key\":";
        for (key, value) in ask.descriptor.entries() {
            write_string(&mut body, entry, key);
            write_string(&mut body, ",\"value\":", value);
            body.push('}');
            entry = ",{\"key\":";
        }
        write_number(&mut body, "],\"hitsAddend\":", ask.hits.into());
        body.push('}');
        descriptor = ",{\"entries\":[";
    }
    body.push_str("]}");
    Call {
        path: "/json",
        body,
    }
}

/// What an answer of that status says. 400 is also what it says while its Redis is gone.
///
/// An `overallCode` of `OK` admits the whole call: with `SHADOW_MODE` the server says `OK` above statuses that are
/// over. Below `OVER_LIMIT` each status is believed for its own descriptor, since a batch is of unrelated clients.
pub(super) fn read(
    status: u16,
    asked: usize,
    body: &[u8],
) -> Result<Vec<Result<Told, Fault>>, Fault> {
    if !matches!(status, 200 | 429) {
        return Err(Fault::Status(status));
    }
    let answer = parse(body)?;
    let within = is_within(required(&answer, "overallCode")?)?;
    let mut told = each(required(&answer, "statuses")?, asked, told)?;
    // A proxy's own 429 has no such body; one that refuses must say whom.
    let contradicts = !within && told.iter().flatten().all(|told| told.granted);
    if within != (status == 200) || contradicts {
        return Err(Fault::Body);
    }
    for told in told.iter_mut().flatten() {
        told.granted |= within;
    }
    Ok(told)
}

pub(super) fn supports(limit: &Limit) -> Result<(), &'static str> {
    match limit.algorithm {
        Algorithm::Closed => Ok(()),
        Algorithm::Window(Window {
            span: Span::Every { length, offset },
            sliding: false,
            ..
        }) => {
            let mut units = UNITS.iter().filter(|(_, unit)| *unit <= Nanos::DAY);
            let is_known = units.any(|(_, unit)| unit.0 == length.get()) && offset == Nanos(0);
            is_known
                .then_some(())
                .ok_or("envoy_ratelimit has windows of 1s, 1m, 1h and 1d only")
        }
        Algorithm::TokenBucket(_) | Algorithm::Window(_) => {
            Err("envoy_ratelimit has fixed windows of 1s, 1m, 1h and 1d only")
        }
    }
}

/// Its units. Each is of one length, and its windows end at multiples of that in Unix time. A rule can ask for those
/// up to a day; the service's own configuration may name any.
const UNITS: [(&str, Nanos); 7] = [
    ("SECOND", Nanos::SECOND),
    ("MINUTE", Nanos(60 * Nanos::SECOND.0)),
    ("HOUR", Nanos(3_600 * Nanos::SECOND.0)),
    ("DAY", Nanos::DAY),
    ("WEEK", Nanos(7 * Nanos::DAY.0)),
    ("MONTH", Nanos(30 * Nanos::DAY.0)),
    ("YEAR", Nanos(365 * Nanos::DAY.0)),
];

/// One descriptor's status. What is zero is left out of it; a code never is, its zero being `UNKNOWN`.
fn told(status: &Node) -> Result<Told, Fault> {
    let granted = is_within(required(status, "code")?)?;
    let until_reset = optional(status, "durationUntilReset")?;
    let remaining = zero_or(optional(status, "limitRemaining")?)?;
    let counter = match optional(status, "currentLimit")? {
        Some(limit) => Some(Counter {
            limit: zero_or(optional(limit, "requestsPerUnit")?)?.min(Numbers::UNLIMITED - 1),
            per: optional(limit, "unit")?.and_then(period),
            remaining: Some(remaining),
            // What `quota_mode` lets pass has none.
            reset: Some(until_reset.map_or(Ok(Reset::Aligned), reset)?),
        }),
        None if !granted || until_reset.is_some() => return Err(Fault::Body),
        // Of a descriptor that has no entry it says nothing.
        None if remaining == u32::MAX => Some(Counter::UNLIMITED),
        None => None,
    };
    Ok(Told { granted, counter })
}

fn is_within(code: &Node) -> Result<bool, Fault> {
    match text(code)? {
        "OK" => Ok(true),
        "OVER_LIMIT" => Ok(false),
        _ => Err(Fault::Body),
    }
}

fn zero_or(number: Option<&Node>) -> Result<u32, Fault> {
    number.map_or(Ok(0), amount)
}

fn period(unit: &Node) -> Option<Nanos> {
    let named = text(unit).ok()?;
    let (_, period) = UNITS.iter().find(|(name, _)| *name == named)?;
    Some(*period)
}

/// A duration as `42s`. It is of whole seconds, rounded up.
fn reset(duration: &Node) -> Result<Reset, Fault> {
    let seconds = text(duration)?.strip_suffix('s').ok_or(Fault::Body)?;
    let nanos = digits(seconds)?.saturating_mul(Nanos::SECOND.0);
    Ok(Reset::RoundedUp(Nanos(nanos)))
}
