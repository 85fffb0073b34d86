//! The parts of a key.

use super::decode::{List, Reader};
use super::error::Path;
use super::raw::{self, NamedPart, ObjectPart};
use crate::plan::{KeyPart, KeySource};

/// All parts of a key.
pub(super) fn parts(
    raw: List<raw::KeyPart, 0, 16>,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Vec<KeyPart>> {
    raw.build(|index, raw| {
        let (source, named) = match raw {
            raw::KeyPart::Named(name) => (named(name), None),
            raw::KeyPart::Object(raw, named) => (object(raw, &path.item(index), reader)?, named),
        };
        let descriptor_key = match named {
            Some(named) => named.0,
            None => default_descriptor_key(&source).into(),
        };
        Some(KeyPart {
            source,
            descriptor_key,
        })
    })
}

/// As Envoy's own rate limit actions call them.
fn default_descriptor_key(source: &KeySource) -> &str {
    match source {
        KeySource::ClientIp => "remote_address",
        KeySource::Method => "method",
        KeySource::Path => "path",
        KeySource::Host => "host",
        KeySource::Route => "route",
        KeySource::Header(name) | KeySource::Cookie(name) | KeySource::Query(name) => name,
        KeySource::PathSegment(_) => "path_segment",
        KeySource::PathTemplate(_) => "path_template",
        KeySource::Constant(_) => "generic_key",
    }
}

const fn named(name: NamedPart) -> KeySource {
    match name {
        NamedPart::ClientIp => KeySource::ClientIp,
        NamedPart::Method => KeySource::Method,
        NamedPart::Path => KeySource::Path,
        NamedPart::Host => KeySource::Host,
        NamedPart::Route => KeySource::Route,
    }
}

fn object(raw: ObjectPart, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<KeySource> {
    Some(match raw {
        // A proxy has it as a field of its own: by that header, every request would have no key.
        ObjectPart::Header(name) if &*name.0 == "host" => {
            let message = "\"host\" is not among a proxy's headers; use the key part \"host\"";
            return reader.refuse(&path.member("header"), message);
        }
        ObjectPart::Header(name) => KeySource::Header(name.0),
        ObjectPart::Cookie(name) => KeySource::Cookie(name.0),
        ObjectPart::Query(name) => KeySource::Query(name.0),
        ObjectPart::PathSegment(place) => KeySource::PathSegment(place.0),
        ObjectPart::PathTemplate(template) => KeySource::PathTemplate(template),
        ObjectPart::Constant(value) => KeySource::Constant(value.0),
    })
}
