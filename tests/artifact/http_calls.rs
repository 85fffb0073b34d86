//! Calls out to a cluster: what is under way, and what comes back.

use std::collections::BTreeMap;

use wasmi::Linker;
use wasmi::errors::LinkerError;

use crate::boundary::{Answer, Denied, Guest, bytes, fill, unexpected};
use crate::header_map::{HeaderMap, show};
use crate::host::Host;
use crate::shared_data::Dialect;
use crate::status;
use crate::stream_calls::line;

/// The one cluster that the proxy has, called as Kong calls a service: by its address.
pub const CLUSTER: &str = "ratelimit:8080";

/// The calls of one worker.
#[derive(Default)]
pub struct HttpCalls {
    /// By number.
    pub under_way: BTreeMap<u32, HttpCall>,
    /// Calls begun so far.
    begun: u32,
    /// The answer whose callback is running.
    pub answer: Option<CallAnswer>,
    /// On Kong, the stream that it is to.
    pub answered: Option<u32>,
}

impl HttpCalls {
    /// Whether a stream has a call under way.
    pub fn holds(&self, stream: u32) -> bool {
        let mut calls = self.under_way.values();
        calls.any(|call| call.stream == Some(stream))
    }
}

/// A call under way.
#[derive(Clone, Debug)]
pub struct HttpCall {
    /// Who is told of the answer.
    pub root: u32,
    /// On Kong, the stream that made it.
    pub stream: Option<u32>,
    pub timeout: u32,
    pub body: String,
}

/// What comes back.
#[derive(Clone, Debug)]
pub struct CallAnswer {
    /// `None` when it broke off.
    pub headers: Option<HeaderMap>,
    pub body: Vec<u8>,
    /// The length of the body as the callback is told of it.
    pub announced: u32,
}

impl CallAnswer {
    pub fn new(status: &str, body: &[u8]) -> Self {
        let mut headers = HeaderMap::default();
        headers.add(b":status", status.as_bytes());
        headers.add(b"content-type", b"application/json");
        Self {
            headers: Some(headers),
            body: body.to_vec(),
            announced: u32::try_from(body.len()).unwrap(),
        }
    }

    /// As Kong's host tells of a call that failed.
    pub fn failed(why: &str) -> Self {
        let mut headers = HeaderMap::default();
        headers.add(b":dispatch_status", why.as_bytes());
        Self {
            headers: Some(headers),
            ..Self::broken_off()
        }
    }

    /// As the host tells of a connection that was reset amid the answer.
    pub fn broken_off() -> Self {
        Self {
            headers: None,
            body: Vec::new(),
            announced: 0,
        }
    }
}

/// The import from `env` that begins a call.
pub fn link(linker: &mut Linker<Host>) -> Result<(), LinkerError> {
    linker.func_wrap("env", "proxy_http_call", http_call)?;
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the ABI has them")]
fn http_call(
    mut guest: Guest<'_>,
    upstream: u32,
    upstream_length: u32,
    headers: u32,
    headers_length: u32,
    body: u32,
    body_length: u32,
    trailers: u32,
    trailers_length: u32,
    timeout: u32,
    number: u32,
) -> Answer {
    let upstream = show(&bytes(&guest, upstream, upstream_length)?);
    let headers = HeaderMap::parse(&bytes(&guest, headers, headers_length)?);
    let body = show(&bytes(&guest, body, body_length)?);
    let trailers = HeaderMap::parse(&bytes(&guest, trailers, trailers_length)?);
    let shown: Vec<_> = headers.iter().flat_map(|map| &map.0).map(line).collect();
    let arguments = format!("{upstream} {timeout} ms{}\n    | {body}", shown.concat());
    fill(&mut guest, "http_call", &arguments, number, |host| {
        let (Some(headers), Some(HeaderMap(trailers))) = (&headers, &trailers) else {
            return unexpected("headers or trailers are no header map");
        };
        if timeout == 0 || !trailers.is_empty() {
            return unexpected("a call has a time-out and no trailers");
        }
        let required = [&b":method"[..], b":path", b":authority"];
        let complete = required.iter().all(|name| headers.first(name).is_some());
        if upstream != CLUSTER || !complete {
            return Err(Denied::Status(status::BAD_ARGUMENT));
        }
        let root = host.root();
        let dialect = host.dialect();
        let stream = (dialect == Dialect::Kong && host.context != root).then_some(host.context);
        let calls = &mut host.http_calls;
        // Envoy keeps the two lowest bits for the kind of a call; Kong counts from 0.
        let number = match dialect {
            Dialect::Envoy => 4 * calls.begun + 4,
            Dialect::Kong if stream.is_none() && host.callback != "proxy_on_tick" => {
                return unexpected("what a root of Kong calls for in an answer is its stream's");
            }
            Dialect::Kong => calls.begun,
        };
        calls.begun += 1;
        let call = HttpCall {
            root,
            stream,
            timeout,
            body,
        };
        calls.under_way.insert(number, call);
        Ok(number.to_le_bytes().to_vec())
    })
}
