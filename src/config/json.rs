//! A JSON value as it was written: numbers keep their form, members their order, duplicates their place.
//!
//! `serde_json::Value` would keep the last of two equal keys and say nothing.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// One JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number written as a non-negative integer.
    Unsigned(u64),
    /// A number written as a negative integer.
    Negative(i64),
    /// A number written with a fraction or an exponent, as a Struct carries all of them.
    Float(f64),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Node>),
    /// An object: members in the order written, duplicates included.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Reads one document. serde_json bounds the nesting at 128.
    ///
    /// # Errors
    /// What is not JSON, with line and column.
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// The first member of that name, if this is an object that has one.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, node)| node),
            _ => None,
        }
    }

    /// The value as a non-negative integer; `20.0` is 20, `20.5` is none.
    #[must_use]
    pub fn as_unsigned(&self) -> Option<u64> {
        match *self {
            Self::Unsigned(number) => Some(number),
            Self::Float(number) => exact_integer(number),
            _ => None,
        }
    }
}

/// 2^53: up to here every integer is a double and every integral double is what was meant.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked: integral, in 0..=2^53"
)]
fn exact_integer(number: f64) -> Option<u64> {
    (number >= 0.0 && number <= MAX_EXACT && number.fract() == 0.0).then_some(number as u64)
}

impl fmt::Display for Node {
    /// What was found, for a message: short, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Unsigned(value) => value.fmt(f),
            Self::Negative(value) => value.fmt(f),
            Self::Float(value) => f.write_str(&decimal(*value)),
            Self::String(value) => f.write_str(&quote(value)),
            Self::Array(items) if items.is_empty() => f.write_str("an empty list"),
            Self::Array(items) => write!(f, "a list of {}", items.len()),
            Self::Object(members) if members.is_empty() => f.write_str("an empty object"),
            Self::Object(members) => match members.iter().find(|(name, _)| name == "env") {
                Some(_) => f.write_str("{\"env\": …}"),
                None => f.write_str("an object"),
            },
        }
    }
}

/// The most characters of a value that a message quotes.
pub(super) const MAX_QUOTED: usize = 60;

/// `text` in quotes, shortened, on one line: what would end a line or move a terminal's cursor is escaped.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::from('"');
    for (count, character) in text.chars().enumerate() {
        if count == MAX_QUOTED {
            out.push('…');
            break;
        }
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            _ if character.is_control() => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)))
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

/// A float to three decimals. `fmt` for floats would be a tenth of the module.
#[expect(
    clippy::cast_possible_truncation,
    reason = "checked: below 2^53 in magnitude"
)]
fn decimal(number: f64) -> String {
    if number.abs() > MAX_EXACT {
        return "a number beyond 2^53".to_owned();
    }
    let thousandths = (number.fract().abs() * 1000.0) as i64;
    let sign = if number < 0.0 { "-" } else { "" };
    let text = format!("{sign}{}.{thousandths:03}", (number as i64).abs());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(u64::try_from(value).map_or(Node::Negative(value), Node::Unsigned))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Node::Object(object))
    }
}
