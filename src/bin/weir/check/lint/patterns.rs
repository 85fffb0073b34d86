//! What a rule is for, where it is written as another system reads it: then the rule is for nothing, or for too much.

use crate::check::diagnostic::Diagnostic;
use crate::check::tree::Here;

/// Adds what is unwise about the `match` of every rule. `here` is where the configuration stands.
pub fn warnings(here: Here<'_>, said: &mut Vec<Diagnostic>) {
    let rules = here.member("rules").into_iter().flat_map(Here::items);
    for (place, rule) in rules.enumerate() {
        if let Some(written) = rule.path(&["match", "path"]) {
            let path = format!("rules[{place}].match.path");
            said.extend(pattern(written, &path));
            for (at, listed) in written.items().enumerate() {
                said.extend(pattern(listed, &format!("{path}[{at}]")));
            }
        }
        let methods = rule.path(&["match", "methods"]).into_iter();
        for (at, method) in methods.flat_map(Here::items).enumerate() {
            if method.text() == Some("*") {
                let path = format!("rules[{place}].match.methods[{at}]");
                said.push(Diagnostic::warning(method.at(), &path, ANY_METHOD));
            }
        }
    }
}

const ANY_METHOD: &str =
    "a method of that name, which nobody sends; leave \"methods\" out for all of them";

const FLOATING: &str = "found anywhere in a path, where Envoy's own takes the whole; begin it with ^, or end it with $";

const STARRED: &str = "\"*\" is itself here, and in few paths; in a \"glob\" it is any part of a segment, and \"**\" any of a path";

const BRACED: &str =
    "\"{\" is itself here, and in few paths; in a \"glob\" a whole segment is \"*\"";

/// What is unwise about one pattern.
fn pattern(written: Here<'_>, path: &str) -> Option<Diagnostic> {
    let mut forms = written.members();
    let (name, form, text) = forms.find_map(|(name, form)| Some((name, form, form.text()?)))?;
    let message = match (name, text) {
        ("regex", regex) if !is_anchored(regex) => FLOATING,
        ("exact" | "prefix", text) if text.contains('*') => STARRED,
        ("exact" | "prefix", text) if text.contains('{') => BRACED,
        _ => return None,
    };
    Some(Diagnostic::warning(
        form.at(),
        &format!("{path}.{name}"),
        message,
    ))
}

/// Whether it says where in a path it begins or ends, or takes whatever is around it.
fn is_anchored(regex: &str) -> bool {
    let is_anchor = |(at, _)| {
        let before = regex.get(..at);
        before.is_some_and(|before| !before.ends_with(['[', '\\']))
    };
    // All paths begin with it.
    let begin = regex.strip_prefix('/').unwrap_or(regex);
    (begin.starts_with(".*") && regex.ends_with(".*"))
        || ["\\A", "\\z"].iter().any(|anchor| regex.contains(anchor))
        || regex.match_indices(['^', '$']).any(is_anchor)
}
