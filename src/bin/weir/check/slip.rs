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

/// Why a text is not YAML, by what stands around where its parser stops, and `after` what it could still read.
pub fn in_yaml(text: &str, after: usize, at: usize, reason: &str) -> Unreadable {
    if let Some(refused) = template(text, at) {
        return refused;
    }
    match reason {
        // It is told at the end of the line.
        "simple key expect ':'" => {
            let rest = text.get(after..).unwrap_or_default();
            let blank = rest.len() - rest.trim_start().len();
            refusal(
                after + blank,
                "not YAML, expected a name, a colon and a blank",
            )
        }
        // It is told where what it interrupts begins.
        "while scanning a plain scalar, found a tab" => {
            let indent = text.get(at..).and_then(indented_by_tab);
            let tab = indent.map_or(at, |indent| at + indent);
            refusal(tab, "not YAML, indented by a tab; expected spaces")
        }
        _ => refusal(at, &format!("not YAML, {reason}")),
    }
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
