//! The path of a request: its normal form, its segments, its query, and templates over it.
//!
//! A rule that an odd spelling of a path slips past is no limit, so what two spellings that every server
//! takes for one have in common is decided here, once, and everything later compares bytes:
//!
//! - `/%61dmin` is `/admin`, `/a%2fb` is `/a%2Fb`: RFC 3986 §6.2.2 leaves no server a choice there.
//! - A raw byte that no URI has, such as `|`, one above 127, or a `%` that begins no escape, is what it is when
//!   encoded: clients leave that out, and proxies and servers let them. So a normal path is ASCII.
//! - `%2F`, `%00`, `%25` and `;` stay what they are: servers differ about them, and a second round of decoding
//!   would invent paths that nobody asked for.
//! - `/a?`, `/a?x` and `/a#x` are `/a`.
//! - `//` and dot segments stay, unless a pattern asks for [`normalize`]: Envoy does that itself, when told
//!   to, and only the operator knows what the upstream does.

mod glob;
mod query;
mod template;

use std::borrow::Cow;

pub use glob::{Glob, TooLong};
pub use query::{decoded, parameters, query};
pub use template::{Template, TemplateError};

/// The path of a request target, without scheme, authority, query and fragment, percent-decoded once for
/// unreserved characters (RFC 3986 §2.3), the hex digits of what stays encoded in upper case (§6.2.2.1), and
/// what must be encoded encoded.
///
/// A target in absolute form (RFC 9112 §3.2.2) has the path that follows its authority, `/` if none does;
/// `*` (`OPTIONS *`) and an empty target are their own paths. Allocates only when a byte has to change.
#[must_use]
pub fn normal(target: &[u8]) -> Cow<'_, [u8]> {
    let path = before(origin_form(target), b"?#");
    if is_normal(path) {
        return Cow::Borrowed(path);
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, after @ ..] = rest {
        let escaped = escape(rest);
        let (byte, after) = escaped.unwrap_or((*first, after));
        if is_unreserved(byte) || escaped.is_none() && is_path_byte(byte) {
            out.push(byte);
        } else {
            out.extend([b'%', hex_digit(byte >> 4), hex_digit(byte & 0xf)]);
        }
        rest = after;
    }
    Cow::Owned(out)
}

/// `path` with `//` merged and dot segments removed (RFC 3986 §5.2.4); what does not begin with `/` as it is.
///
/// Slashes are merged first, so `/a//../b` is `/b`, as it is for nginx and for a file system. Apply it after
/// [`normal`], which turns `%2E%2E` into the dots that it is. Allocates only when a byte has to change.
#[must_use]
pub fn normalize(path: &[u8]) -> Cow<'_, [u8]> {
    let Some(relative) = path.strip_prefix(b"/") else {
        return Cow::Borrowed(path);
    };
    let is_dot = |segment: &[u8]| matches!(segment, b"." | b"..");
    let mut written = relative.split(|byte| *byte == b'/');
    if !path.windows(2).any(|pair| pair == b"//") && !written.any(is_dot) {
        return Cow::Borrowed(path);
    }
    let mut out = Vec::with_capacity(path.len());
    let mut ends_in_slash = false;
    for segment in relative.split(|byte| *byte == b'/') {
        ends_in_slash = segment.is_empty() || is_dot(segment);
        if segment == b".." {
            let parent = out.iter().rposition(|byte| *byte == b'/');
            out.truncate(parent.unwrap_or(0));
        } else if !ends_in_slash {
            out.push(b'/');
            out.extend_from_slice(segment);
        }
    }
    if ends_in_slash {
        out.push(b'/');
    }
    Cow::Owned(out)
}

/// The segments of a path: `/a/b` has `a` and `b`, `/a/` has `a` and an empty one, an empty path has none.
pub fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let relative = path.strip_prefix(b"/").unwrap_or(path);
    let all = relative.split(|byte| *byte == b'/');
    all.take(if path.is_empty() { 0 } else { usize::MAX })
}

/// `target` from its path on: what follows `scheme://authority` when it has that.
fn origin_form(target: &[u8]) -> &[u8] {
    if target
        .first()
        .is_none_or(|first| !first.is_ascii_alphabetic())
    {
        return target;
    }
    let scheme = before(target, b":");
    let is_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let rest = target.strip_prefix(scheme).unwrap_or_default();
    match rest.strip_prefix(b"://") {
        Some(rest) if scheme.iter().all(is_scheme) => {
            let authority = before(rest, b"/?#");
            let path = rest.strip_prefix(authority).unwrap_or_default();
            if path.starts_with(b"/") { path } else { b"/" }
        }
        _ => target,
    }
}

/// `bytes` up to the first of `ends`.
fn before<'a>(bytes: &'a [u8], ends: &[u8]) -> &'a [u8] {
    bytes
        .split(|byte| ends.contains(byte))
        .next()
        .unwrap_or_default()
}

/// Whether every escape in `path` is in normal form, and everything else a byte that paths have.
fn is_normal(path: &[u8]) -> bool {
    let mut rest = path;
    while let [first, after @ ..] = rest {
        rest = match (escape(rest), rest) {
            (Some((byte, _)), _) if is_unreserved(byte) => return false,
            (Some((_, after)), [_, high, low, ..])
                if !high.is_ascii_lowercase() && !low.is_ascii_lowercase() =>
            {
                after
            }
            (None, _) if is_path_byte(*first) => after,
            _ => return false,
        };
    }
    true
}

/// The byte that `%XX` at the beginning of `bytes` stands for, and what follows. Anything else is no escape.
fn escape(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, tail @ ..] = bytes else {
        return None;
    };
    Some((hex(*high)? << 4 | hex(*low)?, tail))
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

const fn hex_digit(half: u8) -> u8 {
    match half {
        0..=9 => b'0' + half,
        _ => b'A' + half - 10,
    }
}

/// RFC 3986 §3.3.
const fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'/' | b':'
                | b'@'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        )
}

/// RFC 3986 §2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests;
