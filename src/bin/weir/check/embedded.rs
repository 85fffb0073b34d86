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
    let text = file.get(written.clone())?;
    Some(match text.bytes().next()? {
        b'"' => (written.start + 1, Style::Double),
        b'\'' => (written.start + 1, Style::Single),
        b'|' | b'>' => {
            let header = text.find('\n')?;
            (written.start + header, Style::Plain)
        }
        _ => (written.start, Style::Plain),
    })
}

/// The bytes at the beginning of `rest` that mean blanks.
fn blank(rest: &str, style: Style) -> usize {
    let mut after = rest;
    loop {
        after = after.trim_start();
        let escaped = after.strip_prefix('\\').filter(|_| style == Style::Double);
        match escaped.and_then(|after| after.strip_prefix(['n', 't', 'r', ' ', '\n'])) {
            Some(beyond) => after = beyond,
            None => return rest.len() - after.len(),
        }
    }
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
