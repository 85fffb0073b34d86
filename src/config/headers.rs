//! Headers that a document adds to what is sent.

use super::decode::{Decode, OrEnv, Reader};
use super::error::Path;
use super::json::Node;
use super::value::{HeaderName, HeaderValue, SecretValue};

/// The most headers that are added to refusals.
pub(super) const MOST_OF_REFUSALS: usize = 32;

/// The most headers that are added to calls.
pub(super) const MOST_OF_CALLS: usize = 16;

/// Headers of refusals as they were written, at most [`MOST_OF_REFUSALS`].
#[derive(Debug)]
pub(super) struct AddedHeaders(pub Vec<Header>);

/// Headers of calls to the rate limit service as they were written, at most
/// [`MOST_OF_CALLS`].
#[derive(Debug)]
pub(super) struct CallHeaders(pub Vec<Header>);

/// A header as it was written.
#[derive(Debug)]
pub(super) struct Header {
    written: String,
    name: Option<HeaderName>,
    value: Option<Box<str>>,
}

/// What headers are added to.
#[derive(Clone, Copy)]
pub(super) enum Of {
    Refusals,
    Calls,
}

/// Makes headers: names in lower case, each once, none that is not for a document to set.
pub(super) fn headers(
    raw: Vec<Header>,
    of: Of,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Vec<(Box<str>, Box<str>)>> {
    let mut headers: Vec<Option<(Box<str>, Box<str>)>> = Vec::with_capacity(raw.len());
    for header in raw {
        let path = path.member(&header.written);
        let is_there = |name: &str| headers.iter().flatten().any(|(other, _)| &**other == name);
        let name = header.name.and_then(|name| match &*name.0 {
            name if of.reserves(name) => reader.refuse(&path, of.reason()),
            name if is_there(name) => {
                reader.refuse(&path, "is there twice: names of headers have no case")
            }
            _ => Some(name.0),
        });
        headers.push(name.zip(header.value));
    }
    headers.into_iter().collect()
}

impl Decode for AddedHeaders {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let value: ReadValue = |node, path, reader| {
            let value = HeaderValue::decode(node, path, reader)?;
            Some(value.0)
        };
        written(node, path, reader, MOST_OF_REFUSALS, value).map(Self)
    }
}

impl Decode for CallHeaders {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(node, Node::Object(_)) {
            // Such as a whole header in one text.
            reader.hidden(path, OBJECT);
            return None;
        }
        let value: ReadValue = |node, path, reader| {
            let OrEnv(value) = OrEnv::<SecretValue>::decode(node, path, reader)?;
            Some(value.0)
        };
        written(node, path, reader, MOST_OF_CALLS, value).map(Self)
    }
}

impl Of {
    fn reserves(self, name: &str) -> bool {
        OF_MESSAGES.contains(&name)
            || match self {
                Self::Refusals => OF_REFUSALS.contains(&name),
                Self::Calls => OF_CALLS.contains(&name) || name.starts_with(STEERING),
            }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::Refusals => "is set by the proxy or by another field of \"response\"",
            Self::Calls => "is set by Weir or the proxy, or would change how the call is made",
        }
    }
}

/// Names that belong to the connection (RFC 9110 §7.6.1) or to the framing of any message, or say what it holds.
const OF_MESSAGES: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

const OF_REFUSALS: &[&str] = &[
    "cache-control",
    "grpc-message",
    "grpc-status",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "x-envoy-ratelimited",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];

/// A compressed answer would not be understood, and a service that is told to expect a 100 waits before it reads.
const OF_CALLS: &[&str] = &["accept-encoding", "expect"];

/// Envoy's router obeys these: they set another time-out, or repeat a call, which would debit twice.
const STEERING: &str = "x-envoy-";

/// Reads the text of a value.
type ReadValue = fn(&Node, &Path<'_>, &mut Reader<'_>) -> Option<Box<str>>;

const OBJECT: &str = "an object of names and values of headers";

/// At most `most` headers, whose values `value` reads.
fn written(
    node: &Node,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
    most: usize,
    value: ReadValue,
) -> Option<Vec<Header>> {
    let Node::Object(members) = node else {
        return reader.unexpected(path, node, OBJECT);
    };
    if members.len() > most {
        let count = members.len();
        let message = format!("{count} headers are not allowed; expected at most {most}");
        return reader.refuse(path, &message);
    }
    let mut headers = Vec::with_capacity(members.len());
    for (name, node) in members {
        let path = path.member(name);
        headers.push(Header {
            written: name.clone(),
            name: Decode::decode(&Node::String(name.clone()), &path, reader),
            value: value(node, &path, reader),
        });
    }
    Some(headers)
}
