//! The query of a request target, read as a form (`a=b&c=d`).

use std::borrow::Cow;

use super::{before, escape};

/// The query of a request target: what is between `?` and `#`, `None` without a `?`.
#[must_use]
pub fn query(target: &[u8]) -> Option<&[u8]> {
    let rest = before(target, b"#");
    rest.strip_prefix(before(rest, b"?"))?.strip_prefix(b"?")
}

/// Each value of the parameter `name` as it is written, however its name is spelled.
pub fn parameters<'q>(query: &'q [u8], name: &'q [u8]) -> impl Iterator<Item = &'q [u8]> {
    query.split(|byte| *byte == b'&').filter_map(|pair| {
        let written = before(pair, b"=");
        let value = pair.strip_prefix(written)?;
        let is_it = Decoded(written).eq(name.iter().copied());
        is_it.then_some(value.strip_prefix(b"=").unwrap_or_default())
    })
}

/// What the value of a parameter stands for: percent-decoded, `+` as a space. Allocates only when a byte has to
/// change.
#[must_use]
pub fn decoded(value: &[u8]) -> Cow<'_, [u8]> {
    if Decoded(value).eq(value.iter().copied()) {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(Decoded(value).collect())
    }
}

/// The bytes that form-encoded ones stand for. What is no escape stands for itself.
struct Decoded<'a>(&'a [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = match (escape(self.0), self.0) {
            (Some(decoded), _) => decoded,
            (None, [b'+', rest @ ..]) => (b' ', rest),
            (None, [byte, rest @ ..]) => (*byte, rest),
            (None, []) => return None,
        };
        self.0 = rest;
        Some(byte)
    }
}
