//! What a refusal looks like.

use super::decode::{List, Reader};
use super::error::Path;
use super::headers;
use super::raw::{self, HeaderSet};
use crate::plan::Response;

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
        .and_then(|raw| headers::headers(raw.0, headers::Of::Refusals, &path, reader));
    let sets = sets?;
    Some(Response {
        status: raw.status?.0,
        x_ratelimit: sets.contains(&HeaderSet::XRateLimit),
        ietf_draft_11: sets.contains(&HeaderSet::IetfDraft11),
        reset: raw.reset?,
        retry_after: raw.retry_after?,
        envoy_ratelimited: raw.envoy_ratelimited?.unwrap_or(!cfg!(feature = "kong")),
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
