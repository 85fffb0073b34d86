//! Limitador over HTTP: `POST /check_and_report`.
//!
//! The limits are the server's. One ask a call; its body says nothing, its headers what was counted.

use super::json::{digits, write_number, write_string};
use super::{Answer, Ask, Call, Counter, Fault, Mode, Reset, Told};
use crate::local::calendar::Span;
use crate::local::limit::{Algorithm, Limit};
use crate::local::window::Window;
use crate::units::{Nanos, Numbers};

pub(super) fn call(domain: &str, asks: &[Ask<'_>]) -> Call {
    let mut body = String::new();
    write_string(&mut body, "{\"namespace\":", domain);
    for ask in asks.iter().take(1) {
        body.push_str(",\"values\":{");
        let mut comma = "";
        for (key, value) in ask.descriptor.entries() {
            write_string(&mut body, comma, key);
            write_string(&mut body, ":", value);
            comma = ",";
        }
        write_number(&mut body, "},\"delta\":", ask.hits.into());
    }
    body.push_str(",\"response_headers\":\"DraftVersion03\"}");
    Call {
        path: "/check_and_report",
        body,
    }
}

/// What an answer says. A grant and a refusal have the body `null`; a refusal without headers is not Limitador's.
pub(super) fn read(
    status: u16,
    asked: usize,
    answer: &Answer<'_>,
) -> Result<Vec<Result<Told, Fault>>, Fault> {
    let granted = match status {
        200 => true,
        429 => false,
        _ => return Err(Fault::Status(status)),
    };
    let counter = counter(answer, granted)?;
    if answer.body.trim_ascii() != b"null" || !(granted || counter.is_some()) {
        return Err(Fault::Body);
    }
    if asked != 1 {
        return Err(Fault::Count);
    }
    Ok(vec![Ok(Told { granted, counter })])
}

pub(super) fn supports(limit: &Limit, mode: Mode) -> Result<(), &'static str> {
    match limit.algorithm {
        Algorithm::Closed => Ok(()),
        Algorithm::Window(Window {
            span: Span::Every { length, offset },
            sliding: false,
            ..
        }) if length.get().is_multiple_of(Nanos::SECOND.0) && offset == Nanos(0) => {
            if mode == Mode::Lease && length.get() < LEAST_LEASED.0 {
                return Err(
                    "limitador has leases from \"per\": \"10s\" on; below, \"mode\": \"per_request\"",
                );
            }
            Ok(())
        }
        Algorithm::TokenBucket(_) | Algorithm::Window(_) => {
            Err("limitador has fixed windows of whole seconds only")
        }
    }
}

/// The shortest window of which a lease is worth its uncertain end: reset is told in whole seconds.
const LEAST_LEASED: Nanos = Nanos(10 * Nanos::SECOND.0);

/// The longest period that is believed: as long as any of a configuration, so that no answer locks a key out for longer.
const LONGEST: Nanos = Nanos(366 * Nanos::DAY.0);

/// The limit that the headers speak of: of those that matched the one with the least left. `None` without headers.
fn counter(answer: &Answer<'_>, granted: bool) -> Result<Option<Counter>, Fault> {
    let limit = header(answer, "x-ratelimit-limit")?;
    let remaining = header(answer, "x-ratelimit-remaining")?;
    let reset = header(answer, "x-ratelimit-reset")?;
    let (limit, remaining, reset) = match (limit, remaining, reset) {
        (Some(limit), Some(remaining), Some(reset)) => (limit, remaining, reset),
        (None, None, None) => return Ok(None),
        _ => return Err(Fault::Body),
    };
    let (limit, policies) = limit.split_once(',').unwrap_or((limit, ""));
    let (limit, remaining, reset) = (digits(limit)?, digits(remaining)?, digits(reset)?);
    // A counter that ran past its limit can make what is left wrap.
    let remaining = if remaining > limit { 0 } else { remaining };
    Ok(Some(Counter {
        limit: saturated(limit).min(Numbers::UNLIMITED - 1),
        per: period(policies),
        // Every refusal says 0, whatever is left.
        remaining: granted.then_some(saturated(remaining)),
        // The first answer of a new window may say 0 too.
        reset: (reset > 0).then_some(Reset::RoundedDown(seconds(reset))),
    }))
}

/// The value of a header field, if it is there.
///
/// # Errors
/// [`Fault::Body`] when it is there twice, or not text.
fn header<'a>(answer: &Answer<'a>, name: &str) -> Result<Option<&'a str>, Fault> {
    let fields = answer.headers.iter();
    let mut named = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()));
    let found = named.next();
    match (found, named.next()) {
        (Some((_, value)), None) => str::from_utf8(value).map(Some).map_err(|_| Fault::Body),
        (None, None) => Ok(None),
        (_, Some(_)) => Err(Fault::Body),
    }
}

fn saturated(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

const fn seconds(number: u64) -> Nanos {
    Nanos(number.saturating_mul(Nanos::SECOND.0))
}

/// The period of the first of policies like `5;w=60;name="a", 9;w=1`, which is the one that the headers speak of.
fn period(policies: &str) -> Option<Nanos> {
    let (_, parameters) = policies.split_once(';')?;
    let window = parameters.strip_prefix("w=")?;
    let end = window.bytes().position(|byte| !byte.is_ascii_digit());
    let window = window.get(..end.unwrap_or(window.len()))?;
    let period = seconds(digits(window).ok()?);
    (Nanos::SECOND..=LONGEST)
        .contains(&period)
        .then_some(period)
}
