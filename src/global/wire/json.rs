//! JSON as limiters read and write it.

use super::{Fault, Told};
use crate::config::json::{Node, escape};

/// Appends `before`, then `text` as a JSON string.
pub(super) fn write_string(out: &mut String, before: &str, text: &str) {
    out.push_str(before);
    out.push('"');
    escape(text, out);
    out.push('"');
}

/// Appends `before`, then a JSON number.
pub(super) fn write_number(out: &mut String, before: &str, number: u64) {
    out.push_str(before);
    out.push_str(itoa::Buffer::new().format(number));
}

/// Reads one document.
///
/// # Errors
/// [`Fault::Body`] for what is not JSON, nested more than 128 deep, or holds a number beyond a double.
pub(super) fn parse(body: &[u8]) -> Result<Node, Fault> {
    Node::parse(body).map_err(|_| Fault::Body)
}

/// The member of that name, if there is one.
///
/// # Errors
/// [`Fault::Body`] when there are several, or this is no object.
pub(super) fn optional<'a>(node: &'a Node, name: &str) -> Result<Option<&'a Node>, Fault> {
    let Node::Object(members) = node else {
        return Err(Fault::Body);
    };
    let mut named = members.iter().filter(|(key, _)| key == name);
    let found = named.next().map(|(_, member)| member);
    match named.next() {
        None => Ok(found),
        Some(_) => Err(Fault::Body),
    }
}

/// The only member of that name.
///
/// # Errors
/// [`Fault::Body`] when there is none, or [`optional`] fails.
pub(super) fn required<'a>(node: &'a Node, name: &str) -> Result<&'a Node, Fault> {
    optional(node, name)?.ok_or(Fault::Body)
}

/// A string.
///
/// # Errors
/// [`Fault::Body`] for anything else.
pub(super) fn text(node: &Node) -> Result<&str, Fault> {
    match node {
        Node::String(text) => Ok(text),
        _ => Err(Fault::Body),
    }
}

/// What each item of an array tells.
///
/// # Errors
/// [`Fault::Body`] for anything but an array, [`Fault::Count`] for one that is not of `asked` items, and the first of
/// `told`'s but [`Fault::Item`], which is that item's alone.
pub(super) fn each(
    items: &Node,
    asked: usize,
    told: fn(&Node) -> Result<Told, Fault>,
) -> Result<Vec<Result<Told, Fault>>, Fault> {
    let Node::Array(items) = items else {
        return Err(Fault::Body);
    };
    if items.len() != asked {
        return Err(Fault::Count);
    }
    let mut all = Vec::with_capacity(asked);
    for item in items {
        match told(item) {
            Err(fault) if fault != Fault::Item => return Err(fault),
            told => all.push(told),
        }
    }
    Ok(all)
}

/// A non-negative integer. JSON made from protocol buffers writes one of 64 bits as a string; readers take both.
///
/// # Errors
/// [`Fault::Body`] for anything else.
pub(super) fn unsigned(node: &Node) -> Result<u64, Fault> {
    match node {
        Node::String(text) => digits(text),
        _ => node.as_unsigned().ok_or(Fault::Body),
    }
}

/// A number of requests.
///
/// # Errors
/// [`Fault::Body`] for anything but a non-negative integer below 2^32.
pub(super) fn amount(node: &Node) -> Result<u32, Fault> {
    u32::try_from(unsigned(node)?).map_err(|_| Fault::Body)
}

/// A non-negative integer in decimal digits.
///
/// # Errors
/// [`Fault::Body`] for anything else, and from 2^64 on.
pub(super) fn digits(text: &str) -> Result<u64, Fault> {
    text.parse().map_err(|_| Fault::Body)
}
