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
use crate::units::Nanos;

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
/// Each status is believed for its own descriptor: a batch is of unrelated clients. So a server that runs with
/// `SHADOW_MODE`, which says `OK` above statuses that are over, refuses here all the same; a limit that it shadows
/// by itself is `OK` in its status too, and grants.
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
    let told = each(required(&answer, "statuses")?, asked, told)?;
    // A proxy's own 429 has no such body; one that refuses must say whom.
    let contradicts = !within && told.iter().flatten().all(|told| told.granted);
    if within != (status == 200) || contradicts {
        return Err(Fault::Body);
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
            let is_unit = UNITS.iter().any(|(_, unit)| unit.0 == length.get());
            let is_known = is_unit && offset == Nanos(0);
            is_known
                .then_some(())
                .ok_or("envoy_ratelimit has windows of 1s, 1m, 1h and 1d only")
        }
        Algorithm::TokenBucket(_) | Algorithm::Window(_) => {
            Err("envoy_ratelimit has fixed windows of 1s, 1m, 1h and 1d only")
        }
    }
}

/// Its units whose windows are always of one length and aligned to Unix time as ours are.
const UNITS: [(&str, Nanos); 4] = [
    ("SECOND", Nanos::SECOND),
    ("MINUTE", Nanos(60 * Nanos::SECOND.0)),
    ("HOUR", Nanos(3_600 * Nanos::SECOND.0)),
    ("DAY", Nanos::DAY),
];

/// One descriptor's status. What is zero is left out of it; a code never is, its zero being `UNKNOWN`.
fn told(status: &Node) -> Result<Told, Fault> {
    let granted = is_within(required(status, "code")?)?;
    let until_reset = optional(status, "durationUntilReset")?;
    let counter = match optional(status, "currentLimit")? {
        Some(limit) => Some(Counter {
            limit: zero_or(optional(limit, "requestsPerUnit")?)?,
            per: optional(limit, "unit")?.and_then(period),
            remaining: Some(zero_or(optional(status, "limitRemaining")?)?),
            reset: until_reset.map(reset).transpose()?,
        }),
        None if granted && until_reset.is_none() => None,
        None => return Err(Fault::Body),
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
