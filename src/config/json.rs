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

/// How deep a document nests at most: what serde_json reads.
pub const MAX_DEPTH: usize = 127;

impl Node {
    /// Reads one document, which nests no deeper than [`MAX_DEPTH`].
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
    ((0.0..=MAX_EXACT).contains(&number) && number.fract() == 0.0).then_some(number as u64)
}

impl fmt::Display for Node {
    /// What was found, for a message: short, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Unsigned(value) => value.fmt(f),
            Self::Negative(value) => value.fmt(f),
            Self::Float(value) => match decimal(*value) {
                Some(digits) => f.write_str(&digits),
                None => f.write_str("a number of more than 15 digits"),
            },
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

/// `text` in quotes and on one line, shortened for a message.
pub(super) fn quote(text: &str) -> String {
    shortened(text, MAX_QUOTED)
}

/// `text` as a JSON string, `…` in place of what follows its first `most` characters.
#[must_use]
pub fn shortened(text: &str, most: usize) -> String {
    let end = text.char_indices().nth(most);
    let shown = end.and_then(|(end, _)| text.get(..end)).unwrap_or(text);
    let mut out = String::from('"');
    escape(shown, &mut out);
    out.push_str(if end.is_some() { "…\"" } else { "\"" });
    out
}

/// Whether a character does more to a line than stand in it: controls, what else begins a line somewhere (Unicode's
/// line and paragraph separators), what is not seen, and what turns the order of what is.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    match character {
        ' '..='~' => false,
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => true,
        other => other.is_control(),
    }
}

/// Appends `text` as it stands between the quotes of a JSON string (RFC 8259 §7). Besides what must be, every
/// character that [`is_hidden`] is escaped: none of them gets into a log.
pub fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        if is_hidden(character) {
            out.push_str("\\u");
            // All of them are below U+10000.
            for shift in [12, 8, 4, 0] {
                out.extend(char::from_digit(u32::from(character) >> shift & 0xf, 16));
            }
            continue;
        }
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
}

/// Whether a float is the nearest to some number of at most 15 digits, which its `Display` then is.
#[must_use]
pub fn is_exact(number: f64) -> bool {
    decimal(number).is_some()
}

/// A float as the decimal number that it was written as; `None` beyond 15 digits.
///
/// A division of two exact doubles is rounded as reading a decimal number is, so the digits that divide to
/// this very double are those that mean it. (`fmt` for floats would add a tenth to the module.)
fn decimal(number: f64) -> Option<String> {
    let mut divisor = 1.0;
    for places in 0..=22_usize {
        let digits = (number.abs() * divisor).round();
        if digits / divisor == number.abs() {
            let digits = exact_integer(digits)?.to_string();
            let digits = format!("{digits:0>width$}", width = places + 1);
            let (whole, fraction) = digits.split_at_checked(digits.len() - places)?;
            let mut out = String::from(if number < 0.0 { "-" } else { "" });
            out.push_str(whole);
            if places > 0 {
                out.push('.');
                out.push_str(fraction);
            }
            return Some(out);
        }
        divisor *= 10.0;
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn numbers_keep_what_they_were() {
        for text in [
            "0",
            "20",
            "-20",
            "0.5",
            "-0.25",
            "20.5",
            "0.1",
            "1.15",
            "1e-7",
            "0.000123",
            "429.0",
            "9007199254740992",
            "18446744073709551615",
            "123456.789012345",
        ] {
            let node = Node::parse(text.as_bytes()).unwrap();
            assert_eq!(
                node.to_string().parse::<f64>(),
                text.parse::<f64>(),
                "{text}"
            );
        }
        for text in ["1e300", "1e-300", "0.30000000000000004"] {
            let node = Node::parse(text.as_bytes()).unwrap();
            assert_eq!(
                node.to_string(),
                "a number of more than 15 digits",
                "{text}"
            );
        }
        assert_eq!(Node::parse(b"429.0").unwrap().to_string(), "429");
        assert_eq!(Node::parse(b"0.05").unwrap().to_string(), "0.05");
    }

    #[test]
    fn only_whole_floats_are_integers() {
        let unsigned = |text: &str| Node::parse(text.as_bytes()).unwrap().as_unsigned();
        assert_eq!(unsigned("20.0"), Some(20));
        assert_eq!(unsigned("2e1"), Some(20));
        for text in ["20.5", "-1", "-1.0", "1e300", "\"20\"", "null"] {
            assert_eq!(unsigned(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_quoted_is_short_and_on_one_line() {
        assert_eq!(
            quote("a\n\"b\"\u{1b}\u{7f}\u{85}\u{2028}\u{2029}\u{202e}\u{200b}\u{feff}é"),
            r#""a\u000a\"b\"\u001b\u007f\u0085\u2028\u2029\u202e\u200b\ufeffé""#
        );
        assert_eq!(quote(&"é".repeat(60)), format!("\"{}\"", "é".repeat(60)));
        assert_eq!(quote(&"é".repeat(61)), format!("\"{}…\"", "é".repeat(60)));
    }

    #[test]
    fn a_repeated_member_is_kept() {
        let node = Node::parse(br#"{"a": 1, "a": 2}"#).unwrap();
        let Node::Object(members) = &node else {
            panic!("an object")
        };
        assert_eq!(members.len(), 2);
        assert_eq!(node.member("a"), Some(&Node::Unsigned(1)));
    }
}
