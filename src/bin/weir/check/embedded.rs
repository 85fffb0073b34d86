//! A text inside another: where each of its characters stands there.

use std::ops::Range;

/// How a string was written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// As it is: a plain or a block scalar of YAML.
    Plain,
    /// Between `'`, which is doubled inside.
    Single,
    /// Between `"`, with escapes, in YAML or in JSON.
    Double,
}

/// Of each byte of a string's `value` the offset in the `file` that it came from, and that of the end; `written` is
/// where the string stands there. Where they do not agree all are its beginning.
///
/// Blanks are not compared: YAML folds lines, and takes indentation away.
pub fn offsets(file: &str, written: &Range<usize>, value: &str) -> Vec<usize> {
    aligned(file, written, value).unwrap_or_else(|| vec![written.start; value.len() + 1])
}

fn aligned(file: &str, written: &Range<usize>, value: &str) -> Option<Vec<usize>> {
    let (mut at, style) = begin(file, written)?;
    let mut offsets = Vec::with_capacity(value.len() + 1);
    for char in value.chars() {
        let width = if char.is_whitespace() {
            0
        } else {
            at += blank(file.get(at..)?, style);
            width(file.get(at..)?, char, style)?
        };
        offsets.resize(offsets.len() + char.len_utf8(), at);
        at += width;
    }
    offsets.push(at);
    Some(offsets)
}

/// Where the text of a string begins, without what introduces it.
fn begin(file: &str, written: &Range<usize>) -> Option<(usize, Style)> {
    let mut text = file.get(written.clone())?;
    // An anchor, a tag, or both.
    while text.starts_with(['&', '!']) {
        text = text.split_once(char::is_whitespace)?.1.trim_start();
    }
    let start = written.end - text.len();
    Some(match text.bytes().next()? {
        b'"' => (start + 1, Style::Double),
        b'\'' => (start + 1, Style::Single),
        b'|' | b'>' => (start + text.find('\n')?, Style::Plain),
        _ => (start, Style::Plain),
    })
}

/// The bytes at the beginning of `rest` that mean blanks.
fn blank(rest: &str, style: Style) -> usize {
    let mut after = rest;
    loop {
        after = after.trim_start();
        match escaped_blank(after).filter(|_| style == Style::Double) {
            Some(width) => after = after.get(width..).unwrap_or_default(),
            None => return rest.len() - after.len(),
        }
    }
}

/// The bytes of the escape of a blank that `rest` begins with (YAML 1.2.2 §5.7, RFC 8259 §7).
fn escaped_blank(rest: &str) -> Option<usize> {
    let escape = rest.strip_prefix('\\')?;
    // A line that goes on in the next, whatever ends it; and vertical tab, form feed, U+0085, U+00A0, U+2028, U+2029.
    const LETTERS: [char; 12] = ['n', 't', 'r', ' ', '\n', '\r', 'v', 'f', 'N', '_', 'L', 'P'];
    if escape.starts_with(LETTERS) {
        return Some(2);
    }
    let digits = match escape.bytes().next()? {
        b'x' => 2,
        b'u' => 4,
        b'U' => 8,
        _ => return None,
    };
    let code = u32::from_str_radix(escape.get(1..=digits)?, 16).ok()?;
    char::from_u32(code)?.is_whitespace().then_some(digits + 2)
}

/// The bytes at the beginning of `rest` that mean `char`.
fn width(rest: &str, char: char, style: Style) -> Option<usize> {
    match (style, rest.bytes().next()?) {
        (Style::Double, b'\\') => escape_width(rest),
        (Style::Single, b'\'') => Some(2),
        _ => rest.starts_with(char).then_some(char.len_utf8()),
    }
}

/// The bytes of the escape that `rest` begins with (YAML 1.2.2 §5.7, RFC 8259 §7).
fn escape_width(rest: &str) -> Option<usize> {
    Some(match rest.as_bytes().get(1)? {
        b'x' => 4,
        // What is beyond U+FFFF is two of them in JSON.
        b'u' => match rest.get(2..4)?.to_ascii_lowercase().as_str() {
            "d8" | "d9" | "da" | "db" => 12,
            _ => 6,
        },
        b'U' => 10,
        _ => 2,
    })
}
