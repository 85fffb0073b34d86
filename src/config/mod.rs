//! From the bytes that an operator wrote to a [`Plan`], or every error at once.
//!
//! Bytes become a [`json::Node`], which forgets nothing that was written; that becomes the raw document, field
//! by field, each with its type, bounds and default; that becomes the plan, where fields mean something
//! together. An error leaves a hole and reading goes on.

pub mod json;

mod body;
mod build;
#[cfg(feature = "cli")]
pub mod check;
mod decode;
mod error;
mod global;
mod headers;
mod hint;
mod key;
mod limits;
mod names;
mod network;
mod object;
mod pattern;
mod raw;
mod response;
#[cfg(feature = "cli")]
pub mod schema;
mod subsets;
mod value;

pub use error::{Errors, MAX_ERRORS};

use self::decode::{Decode, Reader};
use self::error::Path;
use self::json::{MAX_DEPTH, Node};
use self::names::Names;
use crate::plan::Plan;

/// Reads a configuration. `environment` gives the text of a variable, `None` when it is not set.
///
/// # Errors
/// Everything that is wrong with it, see [`Errors`].
pub fn load(text: &[u8], environment: &dyn Fn(&str) -> Option<String>) -> Result<Plan, Errors> {
    let root = parse(text).map_err(|Unreadable { place, reason }| {
        Errors::of(match place {
            Some((line, column)) => format!("line {line}, column {column}: {reason}"),
            None => reason,
        })
    })?;
    let mut reader = Reader::new(&root, environment, raw::PLACES);
    let plan = read(&root, &mut reader);
    reader.findings.into_result()?;
    plan.ok_or_else(|| Errors::of("the document was refused without a reason: a bug".to_owned()))
}

/// Reads a document. Without a plan there is an error among the reader's findings.
fn read(root: &Node, reader: &mut Reader<'_>) -> Option<Plan> {
    duplicates(root, &Path::ROOT, reader);
    let raw = raw::Document::decode(root, &Path::ROOT, reader)?;
    build::plan(raw, reader)
}

/// Why a text is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Line and column, both from 1, columns in bytes; `None` where it is all of the text.
    pub place: Option<(usize, usize)>,
    /// On one line.
    pub reason: String,
}

/// Reads the text of a document.
///
/// # Errors
/// Why it is none.
pub fn parse(text: &[u8]) -> Result<Node, Unreadable> {
    if text.trim_ascii().is_empty() {
        return Err(Unreadable {
            place: None,
            reason: EMPTY.to_owned(),
        });
    }
    Node::parse(text).map_err(|error| syntax(text, &error))
}

/// Said of a text with nothing in it.
const EMPTY: &str = "the document is empty; expected an object with \"rules\"";

/// Said of a text with control characters in it. Envoy hands on the bytes of any message that is no `StringValue`.
/// JSON holds no control characters, a message nearly always does.
pub const NOT_TEXT: &str = "the document is not text; carry it as a google.protobuf.StringValue";

/// Where the text stops being JSON, and why.
fn syntax(text: &[u8], error: &serde_json::Error) -> Unreadable {
    let is_control = |byte: &u8| *byte < b' ' && !byte.is_ascii_whitespace();
    if text.iter().any(is_control) {
        return Unreadable {
            place: None,
            reason: NOT_TEXT.to_owned(),
        };
    }
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let place = format!(" at line {line} column {column}");
    let reason = match text.strip_suffix(&place).unwrap_or(&text) {
        "recursion limit exceeded" => format!("nested deeper than {MAX_DEPTH}"),
        what => format!("not JSON, {what}"),
    };
    Unreadable {
        place: Some((line, column)),
        reason,
    }
}

/// The most members of any object; those of the largest known one are 32.
const MAX_MEMBERS: usize = 1_000;

/// Reports every member whose name another member of its object has before it.
fn duplicates(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) {
    match node {
        Node::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                duplicates(item, &path.item(index), reader);
            }
        }
        Node::Object(members) if members.len() > MAX_MEMBERS => {
            let message = format!(
                "an object of {} is not allowed; expected at most {MAX_MEMBERS}",
                members.len()
            );
            reader.refuse::<()>(path, &message);
        }
        Node::Object(members) => {
            let mut names = Names::default();
            for (place, (name, value)) in members.iter().enumerate() {
                let path = path.member_at(name, place);
                if names.taken(name, place).is_some() {
                    reader.refuse::<()>(&path, "is there more than once");
                }
                duplicates(value, &path, reader);
            }
        }
        _ => {}
    }
}
