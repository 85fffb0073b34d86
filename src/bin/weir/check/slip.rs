//! What a text that cannot be read probably is, in words that say more than its parser does.

use super::tree::Unreadable;

/// Why a text is not JSON, by what stands where its parser stops.
pub fn in_json(text: &str, refused: Unreadable) -> Unreadable {
    if text.starts_with('\u{feff}') {
        return refusal(0, "begins with a byte order mark; save it without one");
    }
    let Some(at) = refused.at else {
        return control(text).unwrap_or(refused);
    };
    let rest = text.get(at..).unwrap_or_default();
    if ["//", "/*", "#"]
        .iter()
        .any(|begin| rest.starts_with(begin))
    {
        return refusal(at, "JSON has no comments; remove it");
    }
    template(text, at).unwrap_or(refused)
}

/// Why a text is not YAML, by what stands around where its parser stops.
pub fn in_yaml(text: &str, at: usize, reason: &str) -> Unreadable {
    if let Some(refused) = template(text, at) {
        return refused;
    }
    match (reason, line_above(text, at)) {
        // It is told further down, where the text that this line began ends; and so is the next.
        ("simple key expect ':'", Some((begin, _))) => refusal(begin, NO_NAME),
        ("mapping values are not allowed in this context", Some((begin, line)))
            if lacks_blank(line) =>
        {
            refusal(begin, NO_NAME)
        }
        // It is told where what it interrupts begins.
        ("while scanning a plain scalar, found a tab", _) => {
            let indent = text.get(at..).and_then(indented_by_tab);
            let tab = indent.map_or(at, |indent| at + indent);
            refusal(tab, "not YAML, indented by a tab; expected spaces")
        }
        _ => refusal(at, &format!("not YAML, {reason}")),
    }
}

const NO_NAME: &str = "not YAML, expected a name, a colon and a blank";

/// The last line above that of a place with more on it than blanks, dashes and a comment: where that begins, and it.
fn line_above(text: &str, at: usize) -> Option<(usize, &str)> {
    let above = text.get(..at)?;
    let mut end = above.rfind('\n')?;
    loop {
        let begin = above.get(..end)?.rfind('\n').map_or(0, |end| end + 1);
        let content = above.get(begin..end)?.trim_start_matches([' ', '-']);
        if !content.trim().is_empty() && !content.starts_with('#') {
            return Some((end - content.len(), content));
        }
        end = begin.checked_sub(1)?;
    }
}

/// Whether a line begins with a name and a colon that no blank is behind.
fn lacks_blank(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default();
    word.split_once(':')
        .is_some_and(|(_, value)| !value.is_empty())
}

/// Of a text around `at` that it is a template, where braces say so.
pub fn template(text: &str, at: usize) -> Option<Unreadable> {
    let begin = at.saturating_sub(2);
    let around = text.as_bytes().get(begin..)?;
    let braces = around.windows(2).take(3).position(|pair| pair == b"{{")?;
    let reason = "looks like a template; render it first";
    Some(refusal(begin + braces, reason))
}

/// The first character that no text has (RFC 8259 §7).
fn control(text: &str) -> Option<Unreadable> {
    let is_control = |char: char| char < ' ' && !char.is_ascii_whitespace();
    let (at, char) = text.char_indices().find(|(_, char)| is_control(*char))?;
    let reason = format!("U+{:04X} is not allowed; JSON is text", u32::from(char));
    Some(refusal(at, &reason))
}

/// Where in `text` a tab stands that only spaces are before on its line.
fn indented_by_tab(text: &str) -> Option<usize> {
    let mut tabs = text.match_indices('\t').map(|(place, _)| place);
    tabs.find(|place| {
        let before = text.get(..*place).unwrap_or_default();
        before.trim_end_matches(' ').ends_with('\n')
    })
}

pub fn refusal(at: usize, reason: &str) -> Unreadable {
    Unreadable {
        at: Some(at),
        reason: reason.to_owned(),
    }
}
