//! The parts of a key.

use super::decode::Reader;
use super::error::Path;
use super::json::quote;
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
    Some(match raw {
        // A proxy has it as a field of its own: by that header, every request would have no key.
        ObjectPart::Header(name) if &*name.0 == "host" => {
            let message = "\"host\" is not among a proxy's headers; use the key part \"host\"";
            return reader.refuse(&path.member("header"), message);
        }
        ObjectPart::Header(name) => KeyPart::Header(name.0),
        ObjectPart::Cookie(name) => KeyPart::Cookie(name.0),
        ObjectPart::Query(name) => KeyPart::Query(name.0),
        ObjectPart::PathSegment(place) => KeyPart::PathSegment(place.0),
        ObjectPart::PathTemplate(source) => match Template::parse(&source.0) {
            Ok(template) => KeyPart::PathTemplate(template),
            Err(error) => {
                let message = format!("{} is no path template: {error}", quote(&source.0));
                return reader.refuse(&path.member("path_template"), &message);
            }
        },
        ObjectPart::Constant(value) => KeyPart::Constant(value.0),
    })
}
