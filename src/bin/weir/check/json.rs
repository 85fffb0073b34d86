//! JSON with its places, read by the parser that the module has.
//!
//! serde_json tells no places but of errors. It can however hand out a value as the piece of text that it is, and
//! that is somewhere.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use weir::config::parse;

use super::slip::in_json;
use super::source::offset;
use super::tree::{Spot, Tree, Unreadable};

/// Reads a document.
///
/// # Errors
/// What the module would refuse it for, and what it probably is instead.
pub fn read(text: &str) -> Result<Tree, Unreadable> {
    let node = parse(text.as_bytes()).map_err(|refused| {
        let place = refused.place;
        let refused = Unreadable {
            at: place.map(|(line, column)| offset(text, line, column)),
            reason: refused.reason,
        };
        in_json(text, refused)
    })?;
    // What was read once is read again without an error, and nests no deeper than that allows.
    let spot = serde_json::from_str(text)
        .ok()
        .and_then(|raw| spot(raw, text));
    let whole = Spot {
        name: None,
        value: 0..text.len(),
        parts: Vec::new(),
    };
    Ok(Tree {
        node,
        spot: spot.unwrap_or(whole),
    })
}

/// Where a piece of `text` and all that is in it stands.
fn spot(raw: &RawValue, text: &str) -> Option<Spot> {
    let piece = raw.get();
    let start = (piece.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let parts = match piece.bytes().next()? {
        b'{' => {
            let Members(members) = serde_json::from_str(piece).ok()?;
            let spots = members.into_iter().map(|(name, value)| {
                let name = spot(name, text)?.value.start;
                let value = spot(value, text)?;
                Some(Spot {
                    name: Some(name),
                    ..value
                })
            });
            spots.collect::<Option<_>>()?
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(piece).ok()?;
            let spots = items.into_iter().map(|item| spot(item, text));
            spots.collect::<Option<_>>()?
        }
        _ => Vec::new(),
    };
    Some(Spot {
        name: None,
        value: start..start + piece.len(),
        parts,
    })
}

/// The members of an object as pieces of text, duplicates included.
struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(member) = members.next_entry()? {
            list.push(member);
        }
        Ok(Members(list))
    }
}
