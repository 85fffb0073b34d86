//! Patterns for paths. Each is brought into the form that paths have when they are compared.

use std::borrow::Cow;

use regex_lite::RegexBuilder;

use super::decode::Reader;
use super::error::Path;
use super::json::quote;
use super::raw::{self, PathPatterns};
use crate::path::{Glob, normal, normalize};
use crate::plan::{PathForm, PathPattern};

/// The most bytes that one compiled expression may take. Matching takes up to as many steps for each byte of the
/// path as the expression has states, so this also bounds what a long path can cost.
const MAX_REGEX_BYTES: usize = 16 << 10;

/// The deepest that groups may nest: the expression is compiled recursively.
const MAX_REGEX_NESTING: u32 = 16;

/// One pattern, or all patterns of a list.
pub(super) fn patterns(
    raw: PathPatterns,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Vec<PathPattern>> {
    match raw {
        PathPatterns::One(raw) => Some(vec![pattern(raw, path, reader)?]),
        PathPatterns::Any(list) => list.build(|index, raw| pattern(raw, &path.item(index), reader)),
    }
}

fn pattern(raw: raw::PathPattern, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<PathPattern> {
    let normalize = raw.normalize?;
    let (name, text, form) = match raw.form? {
        raw::PathForm::Exact(text) => ("exact", text, exact as fn(&str, bool) -> Form),
        raw::PathForm::Prefix(text) => ("prefix", text, prefix as _),
        raw::PathForm::Glob(text) => ("glob", text, glob as _),
        raw::PathForm::Regex(text) => ("regex", text, regex as _),
    };
    match form(&text.0, normalize) {
        Ok(form) => Some(PathPattern { form, normalize }),
        Err(message) => reader.refuse(&path.member(name), &format!("{} {message}", quote(&text.0))),
    }
}

type Form = Result<PathForm, Cow<'static, str>>;

fn exact(text: &str, normalized: bool) -> Form {
    if text == "*" {
        return Ok(PathForm::Exact(b"*".as_slice().into()));
    }
    Ok(PathForm::Exact(as_compared(text, normalized)?.into()))
}

fn prefix(text: &str, normalized: bool) -> Form {
    let mut prefix = as_compared(text, normalized)?;
    if prefix.len() > 1 && prefix.ends_with(b"/") {
        prefix.pop();
        if prefix.ends_with(b"/") {
            return Err("ends in more than one \"/\"".into());
        }
    }
    Ok(PathForm::Prefix(prefix.into()))
}

/// See [`Glob`]. Characters that mean something else to a shell are refused: taken literally, they would be a pattern
/// that no path has.
fn glob(text: &str, normalized: bool) -> Form {
    let is_refused = |c: &char| matches!(c, '?' | '#' | '[' | ']' | '{' | '}' | '\\');
    if let Some(refused) = text.chars().find(is_refused) {
        let message =
            format!("has a \"{refused}\", which means nothing in a glob; use *, ** or a \"regex\"");
        return Err(message.into());
    }
    if !text.starts_with(['/', '*']) {
        return Err(NO_SLASH.into());
    }
    let glob = Glob::new(&in_form(text, normalized));
    glob.map(PathForm::Glob)
        .map_err(|error| error.to_string().into())
}

fn regex(text: &str, _normalized: bool) -> Form {
    if !text.is_ascii() {
        return Err("is compared with percent-encoded paths; write %C3%A9, not é".into());
    }
    RegexBuilder::new(text)
        .size_limit(MAX_REGEX_BYTES)
        .nest_limit(MAX_REGEX_NESTING)
        .build()
        .map(PathForm::Regex)
        .map_err(|error| format!("does not compile: {error}").into())
}

const NO_SLASH: &str = "does not begin with \"/\"";

/// The path that `text` is, in the form that a request's path has when it is compared.
fn as_compared(text: &str, normalized: bool) -> Result<Vec<u8>, Cow<'static, str>> {
    if text.contains(['?', '#']) {
        return Err("has a query or a fragment; paths are compared without".into());
    }
    if !text.starts_with('/') {
        return Err(NO_SLASH.into());
    }
    Ok(in_form(text, normalized))
}

fn in_form(text: &str, normalized: bool) -> Vec<u8> {
    let path = normal(text.as_bytes());
    if normalized {
        normalize(&path).into_owned()
    } else {
        path.into_owned()
    }
}
