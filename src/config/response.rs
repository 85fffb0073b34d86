//! What a refusal looks like.

use super::decode::{List, Reader};
use super::error::Path;
use super::headers;
use super::raw::{self, HeaderSet};
use super::value::Span;
use crate::plan::Response;
use crate::units::Nanos;

/// Makes the response part of a plan.
pub(super) fn response(
    raw: raw::Response,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Response> {
    let sets = raw
        .headers
        .and_then(|list| header_sets(list, &path.member("headers"), reader));
    let retry_jitter = raw
        .retry_jitter
        .and_then(|raw| whole_seconds(raw, &path.member("retry_jitter"), reader));
    let path = path.member("add_headers");
    let add_headers = raw
        .add_headers
        .and_then(|raw| headers::headers(raw.0, headers::Of::Refusals, &path, reader));
    let sets = sets?;
    Some(Response {
        status: raw.status?.0,
        x_ratelimit: sets.contains(&HeaderSet::XRateLimit),
        ietf_draft_11: sets.contains(&HeaderSet::IetfDraft11),
        reset: raw.reset?,
        retry_after: raw.retry_after?,
        retry_jitter: retry_jitter?,
        envoy_ratelimited: raw.envoy_ratelimited?.unwrap_or(!cfg!(feature = "kong")),
        body: raw.body?,
        add_headers: add_headers?,
    })
}

/// What is not there is 0.
fn whole_seconds<const MIN: u64, const MAX: u64>(
    raw: Option<Span<MIN, MAX>>,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<u64> {
    let Some(Span(span)) = raw else {
        return Some(0);
    };
    if span.0 % Nanos::SECOND.0 != 0 {
        return reader.refuse(path, "has to be whole seconds, such as \"2s\"");
    }
    Some(span.seconds_up())
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
