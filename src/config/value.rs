//! Single values: what each of them may be.

use super::decode::{Allowed, Decode, Reader, Value};
use super::error::Path;
use super::json::Node;
use crate::path::Template;
use crate::units::Nanos;

impl Value for bool {
    const ALLOWED: Allowed = Allowed::Bool;

    fn read(node: &Node) -> Option<Self> {
        match node {
            Node::Bool(value) => Some(*value),
            _ => None,
        }
    }
}

/// An integer from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Integer<T, const MIN: u64, const MAX: u64>(pub T);

impl<T: TryFrom<u64>, const MIN: u64, const MAX: u64> Value for Integer<T, MIN, MAX> {
    const ALLOWED: Allowed = Allowed::Integer { min: MIN, max: MAX };

    fn read(node: &Node) -> Option<Self> {
        let value = node
            .as_unsigned()
            .filter(|value| (MIN..=MAX).contains(value))?;
        T::try_from(value).ok().map(Self)
    }
}

/// A value that is written as a string.
pub(super) trait Text: Sized {
    /// What is allowed.
    const EXPECTED: &'static str;

    /// The most bytes.
    const MOST: usize;

    /// `None` when `text` is not allowed.
    fn parse(text: &str) -> Option<Self>;
}

impl<T: Text> Value for T {
    const ALLOWED: Allowed = Allowed::Text(T::EXPECTED);

    fn read(node: &Node) -> Option<Self> {
        match node {
            Node::String(text) => T::parse(text),
            _ => None,
        }
    }
}

/// The name of a rule or a limit. It stands in headers, metrics and logs, so it needs no quoting in any.
#[derive(Clone, Debug)]
pub(super) struct Name(pub Box<str>);

impl Text for Name {
    const EXPECTED: &'static str = "[a-z0-9][a-z0-9_.-]{0,63}";
    const MOST: usize = 64;

    fn parse(text: &str) -> Option<Self> {
        let may_begin = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_name = text.len() <= Self::MOST
            && text.bytes().next().is_some_and(may_begin)
            && text
                .bytes()
                .all(|byte| may_begin(byte) || b"_.-".contains(&byte));
        is_name.then(|| Self(text.into()))
    }
}

/// A namespace of counters: what every limiter takes as it is, in a URL and in a descriptor alike.
#[derive(Debug)]
pub(super) struct Domain(pub Box<str>);

impl Text for Domain {
    const EXPECTED: &'static str = "[A-Za-z0-9_.-]{1,64}";
    const MOST: usize = 64;

    fn parse(text: &str) -> Option<Self> {
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let is_domain = (1..=Self::MOST).contains(&text.len()) && text.bytes().all(is_safe);
        is_domain.then(|| Self(text.into()))
    }
}

/// The period of a limit.
#[derive(Clone, Debug)]
pub(super) struct Per {
    /// As it stands in a derived name: as written, `_` as `-`.
    pub text: Box<str>,
    pub period: Period,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Period {
    /// 1 ms to 366 d.
    Every(Nanos),
    Day,
    Week,
    Month,
}

impl Period {
    /// A calendar month counts as 31 days.
    pub const fn nominal(self) -> Nanos {
        match self {
            Self::Every(period) => period,
            Self::Day => Nanos::DAY,
            Self::Week => Nanos(7 * Nanos::DAY.0),
            Self::Month => Nanos(31 * Nanos::DAY.0),
        }
    }
}

impl Decode for Per {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let (text, period) = match node {
            Node::String(text) => (text.as_str(), period(text)),
            _ => ("", Err(DURATION)),
        };
        match period {
            Ok(period) => Some(Self {
                text: text.replace('_', "-").into(),
                period,
            }),
            Err(DURATION) => reader.unexpected(path, node, &with_unit(node)),
            Err(expected) => reader.unexpected(path, node, expected),
        }
    }
}

/// [`DURATION`], and what a number without a unit was probably meant to be: seconds, as for most limiters.
fn with_unit(node: &Node) -> String {
    let number = match node {
        Node::String(text) => text.parse().ok(),
        node => node.as_unsigned(),
    };
    match number {
        Some(number) => format!("{DURATION}; did you mean \"{number}s\"?"),
        None => DURATION.to_owned(),
    }
}

const DURATION: &str = "a whole number and ms, s, m, h or d, such as \"1m\"";

/// The period that is written, or what is allowed instead.
fn period(text: &str) -> Result<Period, &'static str> {
    Ok(match text {
        "calendar_day" => Period::Day,
        "calendar_week" => Period::Week,
        "calendar_month" => Period::Month,
        "second" | "SECOND" => return Err("\"1s\""),
        "minute" | "MINUTE" => return Err("\"1m\""),
        "hour" | "HOUR" => return Err("\"1h\""),
        "day" | "DAY" => return Err("\"1d\" or \"calendar_day\""),
        "week" | "WEEK" => return Err("\"7d\" or \"calendar_week\""),
        "month" | "MONTH" => return Err("\"30d\" or \"calendar_month\""),
        _ => Period::Every(duration(text)?),
    })
}

/// `500ms`, `1s`, `15m`, `1h`, `1d`: an integer without leading zeros and a unit, 1 ms to 366 d.
fn duration(text: &str) -> Result<Nanos, &'static str> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text.strip_suffix(unit).unwrap_or_default();
    let unit = match unit {
        "ms" => Nanos::MILLISECOND.0,
        "s" => Nanos::SECOND.0,
        "m" => 60 * Nanos::SECOND.0,
        "h" => 3_600 * Nanos::SECOND.0,
        "d" => Nanos::DAY.0,
        _ => return Err(DURATION),
    };
    if number.is_empty() || (number.starts_with('0') && number != "0") {
        return Err(DURATION);
    }
    let length = number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
    let is_allowed = |length: &u64| (1..=366 * Nanos::DAY.0).contains(length);
    length.filter(is_allowed).map(Nanos).ok_or("1ms to 366d")
}

/// A span of `MIN` to `MAX` milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<const MIN: u64, const MAX: u64>(pub Nanos);

impl<const MIN: u64, const MAX: u64> Decode for Span<MIN, MAX> {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let bounds = MIN * Nanos::MILLISECOND.0..=MAX * Nanos::MILLISECOND.0;
        let span = match node {
            Node::String(text) => duration(text),
            _ => Err(DURATION),
        };
        match span {
            Ok(span) if bounds.contains(&span.0) => Some(Self(span)),
            Err(DURATION) => reader.unexpected(path, node, DURATION),
            Ok(_) | Err(_) => reader.unexpected(path, node, &format!("{MIN}ms to {MAX}ms")),
        }
    }
}

/// What a cluster or an authority may be: what stands in a URL between its slashes.
#[derive(Debug)]
pub(super) struct Authority(pub Box<str>);

impl Text for Authority {
    const EXPECTED: &'static str = "1 to 255 visible ASCII characters";
    const MOST: usize = 255;

    fn parse(text: &str) -> Option<Self> {
        let is_authority = (1..=Self::MOST).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_authority.then(|| Self(text.into()))
    }
}

/// What a part of a key is called in a descriptor.
#[derive(Debug)]
pub(super) struct DescriptorKey(pub Box<str>);

impl Text for DescriptorKey {
    const EXPECTED: &'static str = Domain::EXPECTED;
    const MOST: usize = Domain::MOST;

    fn parse(text: &str) -> Option<Self> {
        Domain::parse(text).map(|domain| Self(domain.0))
    }
}

/// Minutes that a zone is ahead of UTC: -12:00 to +14:00, what zones there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct UtcOffset(pub i16);

impl Text for UtcOffset {
    const EXPECTED: &'static str = "\"-12:00\" to \"+14:00\"";
    const MOST: usize = 6;

    fn parse(text: &str) -> Option<Self> {
        let [sign @ (b'+' | b'-'), digits @ ..] = text.as_bytes() else {
            return None;
        };
        let [h1, h2, b':', m1, m2] = digits else {
            return None;
        };
        let digit = |byte: &u8| byte.is_ascii_digit().then(|| i16::from(*byte - b'0'));
        let (hours, minutes) = (digit(h1)? * 10 + digit(h2)?, digit(m1)? * 10 + digit(m2)?);
        let offset = hours * 60 + minutes;
        let offset = if *sign == b'-' { -offset } else { offset };
        (minutes < 60 && (-12 * 60..=14 * 60).contains(&offset)).then_some(Self(offset))
    }
}

/// RFC 9110 §5.6.2: what names of fields, cookies and methods are made of.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

fn is_token(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(is_token_byte)
}

/// A method. They are case-sensitive and all registered ones are in upper case: a rule for `get` would hold
/// for nobody.
#[derive(Debug)]
pub(super) struct Method(pub Box<str>);

impl Text for Method {
    const EXPECTED: &'static str = "a method in upper case, such as \"GET\"";
    const MOST: usize = 32;

    fn parse(text: &str) -> Option<Self> {
        let is_method =
            is_token(text, Self::MOST) && !text.bytes().any(|byte| byte.is_ascii_lowercase());
        is_method.then(|| Self(text.into()))
    }
}

/// The name of a header, in lower case.
#[derive(Debug)]
pub(super) struct HeaderName(pub Box<str>);

impl Text for HeaderName {
    const EXPECTED: &'static str = "the name of a header";
    const MOST: usize = 256;

    fn parse(text: &str) -> Option<Self> {
        is_token(text, Self::MOST).then(|| Self(text.to_ascii_lowercase().into()))
    }
}

/// The name of a cookie (RFC 6265 §4.1.1), which is case-sensitive.
#[derive(Debug)]
pub(super) struct CookieName(pub Box<str>);

impl Text for CookieName {
    const EXPECTED: &'static str = "the name of a cookie";
    const MOST: usize = 256;

    fn parse(text: &str) -> Option<Self> {
        is_token(text, Self::MOST).then(|| Self(text.into()))
    }
}

/// The value of a header (RFC 9110 §5.5) in ASCII: no space at either end, no other control than a tab.
fn is_field_value(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
        && text.trim_ascii() == text
}

/// The value of a header that everybody may see.
#[derive(Debug)]
pub(super) struct HeaderValue(pub Box<str>);

impl Text for HeaderValue {
    const EXPECTED: &'static str = "1 to 1024 visible ASCII characters, with spaces between them";
    const MOST: usize = 1_024;

    fn parse(text: &str) -> Option<Self> {
        is_field_value(text, Self::MOST).then(|| Self(text.into()))
    }
}

/// The value of a header that may be a credential. Signed tokens are of a few thousand characters.
pub(super) struct SecretValue(pub Box<str>);

impl SecretValue {
    /// The most bytes.
    pub const MOST: usize = 8_192;
}

impl Value for SecretValue {
    const ALLOWED: Allowed =
        Allowed::Secret("1 to 8192 visible ASCII characters, with spaces between them");

    fn read(node: &Node) -> Option<Self> {
        match node {
            Node::String(text) if is_field_value(text, Self::MOST) => {
                Some(Self(text.as_str().into()))
            }
            _ => None,
        }
    }
}

/// Any text of 1 to 1,024 bytes.
#[derive(Debug)]
pub(super) struct ShortText(pub Box<str>);

impl Text for ShortText {
    const EXPECTED: &'static str = "1 to 1024 bytes of text";
    const MOST: usize = 1_024;

    fn parse(text: &str) -> Option<Self> {
        (1..=Self::MOST)
            .contains(&text.len())
            .then(|| Self(text.into()))
    }
}

/// The most bytes of a path template.
pub(super) const MOST_OF_TEMPLATE: usize = 1_024;

impl Decode for Template {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let source = match node {
            Node::String(source) if source.len() <= MOST_OF_TEMPLATE => source,
            _ => return reader.unexpected(path, node, "a path template of at most 1024 bytes"),
        };
        match Self::parse(source) {
            Ok(template) => Some(template),
            Err(error) => reader.refuse(path, &format!("{node} is no path template: {error}")),
        }
    }
}
