//! What a refusal looks like.

use super::decode::{List, Reader};
use super::error::Path;
use super::raw::{self, HeaderSet};
use crate::plan::Response;

/// Header names that `add_headers` may not have: those that are ours, and those that belong to the connection
/// (RFC 9110 §7.6.1) or to the framing of the message.
const RESERVED: [&str; 21] = [
    "cache-control",
    "content-type",
    "grpc-message",
    "grpc-status",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "connection",
    "content-encoding",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "date",
];

/// Makes the response part of a plan.
pub(super) fn response(
    raw: raw::Response,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Response> {
    let sets = raw
        .headers
        .and_then(|list| header_sets(list, &path.member("headers"), reader));
    let path = path.member("add_headers");
    let add_headers = raw
        .add_headers
        .and_then(|raw| add_headers(raw, &path, reader));
    let sets = sets?;
    Some(Response {
        status: raw.status?.0,
        x_ratelimit: sets.contains(&HeaderSet::XRateLimit),
        ietf_draft_11: sets.contains(&HeaderSet::IetfDraft11),
        reset: raw.reset?,
        retry_after: raw.retry_after?,
        body: raw.body?,
        add_headers: add_headers?,
    })
}

/// Each at most once.
fn header_sets(
    raw: List<HeaderSet, 0, 2>,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Vec<HeaderSet>> {
    let mut seen = Vec::new();
    raw.build(|place, set| {
        if seen.contains(&set) {
            return reader.refuse(&path.item(place), "is there twice");
        }
        seen.push(set);
        Some(set)
    })
}

fn add_headers(
    raw: raw::Headers,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Vec<(Box<str>, Box<str>)>> {
    let mut headers: Vec<Option<(Box<str>, Box<str>)>> = Vec::with_capacity(raw.0.len());
    for header in raw.0 {
        let path = path.member(&header.written);
        let is_there = |name: &str| headers.iter().flatten().any(|(other, _)| &**other == name);
        let name = header.name.and_then(|name| match &*name.0 {
            name if RESERVED.contains(&name) => reader.refuse(
                &path,
                "is set by the proxy or by another field of \"response\"",
            ),
            name if is_there(name) => {
                reader.refuse(&path, "is there twice: names of headers have no case")
            }
            _ => Some(name.0),
        });
        headers.push(name.zip(header.value.map(|value| value.0)));
    }
    headers.into_iter().collect()
}
