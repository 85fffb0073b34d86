//! The parts of a key.

use super::decode::{List, Reader};
use super::error::Path;
use super::raw::{self, NamedPart, ObjectPart};
use crate::plan::KeyPart;

/// All parts of a key.
pub(super) fn parts(
    raw: List<raw::KeyPart, 0, 16>,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Vec<KeyPart>> {
    raw.build(|index, raw| match raw {
        raw::KeyPart::Named(name) => Some(named(name)),
        raw::KeyPart::Object(raw) => object(raw, &path.item(index), reader),
    })
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
        ObjectPart::PathTemplate(template) => KeyPart::PathTemplate(template),
        ObjectPart::Constant(value) => KeyPart::Constant(value.0),
    })
}
