//! What a refusal looks like.

use super::decode::Reader;
use super::error::Path;
use super::json::{Node, decimal};
use super::raw::{self, BodyTemplate, HeaderSet, NamedBody};
use crate::plan::{Body, Response};
use crate::reply::template::{Template, TemplateError, placeholders};

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
        .and_then(|list| header_sets(list.0, &path.member("headers"), reader));
    let body = raw
        .body
        .and_then(|raw| body(raw, &path.member("body"), reader));
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
        body: body?,
        add_headers: add_headers?,
    })
}

fn header_sets(
    raw: Vec<Option<HeaderSet>>,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Vec<HeaderSet>> {
    let mut sets = Vec::with_capacity(raw.len());
    for (index, set) in raw.into_iter().enumerate() {
        if set.is_some() && sets.contains(&set) {
            reader.refuse::<()>(&path.item(index), "is there twice");
        }
        sets.push(set);
    }
    sets.into_iter().collect()
}

fn body(raw: raw::Body, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Body> {
    match raw {
        raw::Body::Named(NamedBody::Problem) => Some(Body::Problem),
        raw::Body::Named(NamedBody::None) => Some(Body::None),
        raw::Body::Template(BodyTemplate::Text(text)) => {
            template(Template::text(&text.0), &path.member("text"), reader).map(Body::Text)
        }
        raw::Body::Template(BodyTemplate::Json(json)) => {
            texts(&json.0, &path.member("json"), reader)?;
            Template::json(&json.0).ok().map(Body::Json)
        }
    }
}

/// Reports every string of a JSON template that is none by itself: the place of each is known here.
fn texts(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<()> {
    let mut all = Some(());
    match node {
        Node::String(text) => return template(Template::text(text), path, reader).map(drop),
        Node::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                all = all.and(texts(item, &path.item(index), reader));
            }
        }
        Node::Object(members) => {
            for (name, value) in members {
                all = all.and(texts(value, &path.member(name), reader));
            }
        }
        Node::Float(number) if decimal(*number).is_none() => {
            return reader.unexpected(path, node, "one of at most 15");
        }
        Node::Null | Node::Bool(_) | Node::Unsigned(_) | Node::Negative(_) | Node::Float(_) => {}
    }
    all
}

fn template(
    compiled: Result<Template, Vec<TemplateError>>,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Template> {
    for error in compiled.as_ref().err().into_iter().flatten() {
        match error {
            TemplateError::Unclosed => reader.refuse(
                path,
                "a \"{\" without \"}\"; a brace that is text is written \"{{\"",
            ),
            TemplateError::Unknown(name) => {
                let known: Vec<_> = placeholders().map(|name| format!("{{{name}}}")).collect();
                let known: Vec<_> = known.iter().map(String::as_str).collect();
                reader.unknown(path, "placeholder", &format!("{{{name}}}"), &known)
            }
        }
        .unwrap_or(());
    }
    compiled.ok()
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
