//! What YAML 1.2 means otherwise than the YAML that some hosts read.

use weir::config::json::Node;

use super::diagnostic::Diagnostic;
use super::tree::Here;

/// Warns of every plain value of a configuration that hosts read in two ways, since the module gets what they read.
pub fn warnings(here: Here<'_>, file: &str, said: &mut Vec<Diagnostic>) {
    let written = file.get(here.spot.value.clone()).unwrap_or_default();
    match here.node {
        Node::Unsigned(_) | Node::Negative(_) if has_leading_zero(written) => {
            let message = format!("{written} is octal to some hosts; write it without the zero");
            said.push(Diagnostic::warning(here.at(), "", &message));
        }
        Node::String(text) if text == written && is_boolean(text) => {
            let message = format!(
                "{text} is a boolean to some hosts; write true or false, or put it in quotes"
            );
            said.push(Diagnostic::warning(here.at(), "", &message));
        }
        _ => {}
    }
    for (_, member) in here.members() {
        warnings(member, file, said);
    }
    for item in here.items() {
        warnings(item, file, said);
    }
}

/// Whether YAML 1.1 could take a number for octal: kubectl and Kong do.
fn has_leading_zero(written: &str) -> bool {
    let digits = written.trim_start_matches(['+', '-']);
    let after = digits.strip_prefix('0').unwrap_or_default();
    after.starts_with(|char: char| char.is_ascii_digit())
}

/// Whether YAML 1.1 could take a text for `true` or `false`.
fn is_boolean(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["y", "n", "yes", "no", "on", "off"].contains(&lower.as_str())
}
