//! The parts of a key.

use super::decode::Reader;
use super::error::Path;
use super::raw::{self, NamedPart, ObjectPart};
use crate::path::Template;
use crate::plan::KeyPart;

/// All parts of a key.
pub(super) fn parts(
    raw: Vec<Option<raw::KeyPart>>,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Vec<KeyPart>> {
    let mut parts = Vec::with_capacity(raw.len());
    for (index, raw) in raw.into_iter().enumerate() {
        parts.push(raw.and_then(|raw| match raw {
            raw::KeyPart::Named(name) => Some(named(name)),
            raw::KeyPart::Object(raw) => object(raw, &path.item(index), reader),
        }));
    }
    parts.into_iter().collect()
}

const fn named(name: NamedPart) -> KeyPart {
    match name {
        NamedPart::ClientIp => KeyPart::ClientIp,
        NamedPart::Method => KeyPart::Method,
        NamedPart::Path => KeyPart::Path,
        NamedPart::Host => KeyPart::Host,
        NamedPart::Route => KeyPart::Route,
    }
}

fn object(raw: ObjectPart, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<KeyPart> {
    let ObjectPart {
        header: Some(header),
        cookie: Some(cookie),
        query: Some(query),
        path_segment: Some(path_segment),
        path_template: Some(path_template),
        constant: Some(constant),
    } = raw
    else {
        return None;
    };
    reader.exactly_one(
        path,
        &[
            ("header", header.is_some()),
            ("cookie", cookie.is_some()),
            ("query", query.is_some()),
            ("path_segment", path_segment.is_some()),
            ("path_template", path_template.is_some()),
            ("constant", constant.is_some()),
        ],
    )?;
    if let Some(name) = header {
        return header_part(name.0, &path.member("header"), reader);
    }
    if let Some(source) = path_template {
        return match Template::parse(&source.0) {
            Ok(template) => Some(KeyPart::PathTemplate(template)),
            Err(error) => reader.refuse(&path.member("path_template"), &error.to_string()),
        };
    }
    let cookie = cookie.map(|name| KeyPart::Cookie(name.0));
    let query = query.map(|name| KeyPart::Query(name.0));
    let segment = path_segment.map(|place| KeyPart::PathSegment(place.0));
    let constant = constant.map(|value| KeyPart::Constant(value.0));
    cookie.or(query).or(segment).or(constant)
}

/// `host` is no header in a proxy's map but a field of its own: counted by the header, every request would
/// have its key missing.
fn header_part(name: Box<str>, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<KeyPart> {
    if &*name == "host" {
        return reader.refuse(
            path,
            "a proxy does not show \"host\" as a header; use the key part \"host\"",
        );
    }
    Some(KeyPart::Header(name))
}
