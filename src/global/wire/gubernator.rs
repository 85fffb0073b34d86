//! Gubernator v2 over HTTP: `POST /v1/GetRateLimits`.
//!
//! The limits are in each request. A refusal is an HTTP 200, charges nothing and tells exactly what is left.

use super::descriptor::digest;
use super::json::{amount, each, parse, required, text, unsigned, write_number, write_string};
use super::{Ask, Call, Counter, Descriptor, Fault, Mode, Reset, Told};
use crate::config::json::Node;
use crate::local::calendar::Span;
use crate::local::limit::{Algorithm, Limit};
use crate::local::window::Window;
use crate::units::{Nanos, UnixTime};

/// More in one call are refused whole (`maxBatchSize`).
pub(super) const MOST_ASKS: usize = 1_000;

pub(super) fn call(domain: &str, asks: &[Ask<'_>]) -> Call {
    let mut body = String::from("{\"requests\":[");
    let mut request = "{\"name\":";
    for ask in asks {
        let limit = ask.limit;
        let per = limit.per.0 / Nanos::MILLISECOND.0;
        write_string(&mut body, request, domain);
        write_string(&mut body, ",\"unique_key\":", &unique_key(ask.descriptor));
        write_number(&mut body, ",\"hits\":", ask.hits.into());
        write_number(&mut body, ",\"limit\":", limit.requests.into());
        write_number(&mut body, ",\"duration\":", per);
        match &limit.algorithm {
            Algorithm::TokenBucket(bucket) => {
                write_number(&mut body, LEAKY_BUCKET, bucket.capacity().get().into());
            }
            Algorithm::Window(_) | Algorithm::Closed => body.push_str(TOKEN_BUCKET),
        }
        body.push('}');
        request = ",{\"name\":";
    }
    body.push_str("]}");
    Call {
        path: "/v1/GetRateLimits",
        body,
    }
}

/// What an answer of that status says. Its only 429 is a body that is too long, and refuses nobody.
pub(super) fn read(
    status: u16,
    asked: usize,
    body: &[u8],
) -> Result<Vec<Result<Told, Fault>>, Fault> {
    if status != 200 {
        return Err(Fault::Status(status));
    }
    let answer = parse(body)?;
    each(required(&answer, "responses")?, asked, told)
}

pub(super) fn supports(limit: &Limit, mode: Mode) -> Result<(), &'static str> {
    match limit.algorithm {
        Algorithm::TokenBucket(_) if mode == Mode::Lease => {
            Err("gubernator has token buckets with \"mode\": \"per_request\" only")
        }
        Algorithm::Window(Window { sliding: true, .. }) => {
            Err("gubernator has fixed windows and token buckets only")
        }
        // Its windows begin with their first hit, and its own calendar is that of the server's time zone.
        Algorithm::Window(Window {
            span: Span::Month { .. },
            ..
        }) => Err(NO_CALENDAR),
        Algorithm::Window(Window {
            span: Span::Every { offset, .. },
            ..
        }) if offset != Nanos(0) => Err(NO_CALENDAR),
        Algorithm::TokenBucket(_) | Algorithm::Window(_) | Algorithm::Closed => Ok(()),
    }
}

/// A fixed window, begun by its first hit.
const TOKEN_BUCKET: &str = ",\"algorithm\":0";

/// Refilled continuously, up to the number that follows.
const LEAKY_BUCKET: &str = ",\"algorithm\":1,\"burst\":";

const NO_CALENDAR: &str = "gubernator has no calendar periods";

/// The longest key that is written as it is, in bytes, so that a full call stays below the 1 MiB that a server takes.
const MAX_KEY: usize = 512;

/// The descriptor as one text: the server joins it to the domain with `_`, and nothing may pass for another's.
///
/// Every key and value follows a `/`, its length and a `:`, so that no list of them is another's text. A domain has no
/// `/`, so that no domain ends in the beginning of a key. What is longer than [`MAX_KEY`] stands as its digest, which
/// begins with no length.
fn unique_key(descriptor: &Descriptor) -> String {
    let mut out = String::new();
    for text in descriptor.entries().flat_map(|(key, value)| [key, value]) {
        write_number(&mut out, "/", text.len() as u64);
        out.push(':');
        out.push_str(text);
    }
    if out.len() > MAX_KEY {
        out = format!("/{}", digest(out.as_bytes()));
    }
    out
}

/// One item. It always has all members; one that failed says `UNDER_LIMIT` with zeros beside its error.
fn told(item: &Node) -> Result<Told, Fault> {
    let is_error = !text(required(item, "error")?)?.is_empty();
    let granted = match text(required(item, "status")?)? {
        "UNDER_LIMIT" => true,
        "OVER_LIMIT" => false,
        _ => return Err(Fault::Body),
    };
    let limit = amount(required(item, "limit")?)?;
    let remaining = amount(required(item, "remaining")?)?;
    let reset = unsigned(required(item, "reset_time")?)?;
    // Nothing is under a limit of 0.
    if is_error || (granted && limit == 0) {
        return Err(Fault::Item);
    }
    let reset = UnixTime(reset.saturating_mul(Nanos::MILLISECOND.0));
    Ok(Told {
        granted,
        counter: Some(Counter {
            limit,
            per: None,
            remaining: Some(remaining),
            reset: (reset != UnixTime(0)).then_some(Reset::At(reset)),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn key(entries: &[(&str, &str)]) -> String {
        let mut descriptor = Descriptor::default();
        for (key, value) in entries {
            descriptor.push(key, value.as_bytes());
        }
        unique_key(&descriptor)
    }

    #[test]
    fn a_key_is_what_its_descriptor_says() {
        assert_eq!(key(&[("tenant", "acme")]), "/6:tenant/4:acme");
        assert_eq!(key(&[("é", ""), ("a", "b")]), "/2:é/0:/1:a/1:b");
    }

    #[test]
    fn no_descriptor_passes_for_another() {
        let keys = [
            key(&[("a", "b"), ("c", "d")]),
            key(&[("a", "b/1:c/1:d")]),
            key(&[("a/1:b", "c"), ("d", "")]),
            key(&[("a", "b_c"), ("d", "")]),
            key(&[("a", "b"), ("c_d", "")]),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert_eq!(keys.iter().position(|other| other == key), Some(index));
        }
    }

    #[test]
    fn a_long_key_is_its_digest() {
        let long = |end: &str| key(&[("a", &format!("{}{end}", "x".repeat(600)))]);
        assert!(long("").starts_with("/sip128:"));
        assert_eq!(long("").len(), 40);
        assert_ne!(long(""), long("y"));
        assert_eq!(key(&[("a", &"x".repeat(503))]).len(), 512);
        assert_eq!(key(&[("a", &"x".repeat(504))]).len(), 40);
    }
}
