//! Requests, as the proxy would hold them.

use std::collections::BTreeMap;

use crate::header_map::HeaderMap;
use crate::host::{Flow, Phase, Stream};

/// A request and the answer that its upstream would give.
#[derive(Clone)]
pub struct Request {
    stream: Stream,
}

impl Request {
    /// `GET`, over HTTP/1.1, with what a browser sends.
    pub fn get(path: &str) -> Self {
        let mut request = HeaderMap::default();
        for (name, value) in [
            (":authority", "shop.example.com"),
            (":path", path),
            (":method", "GET"),
            (":scheme", "https"),
            (
                "user-agent",
                "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            ),
            (
                "accept",
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            ),
            ("accept-encoding", "gzip, deflate, br, zstd"),
            ("x-forwarded-proto", "https"),
            ("x-request-id", "5f0a1c9e-6f0e-4f8e-9d5c-0a6f5b0f3a77"),
        ] {
            request.add(name.as_bytes(), value.as_bytes());
        }
        let mut response = HeaderMap::default();
        response.add(b":status", b"200");
        response.add(b"content-type", b"text/html");
        let stream = Stream {
            root: 0,
            flow: Flow::Going,
            request,
            response,
            properties: BTreeMap::new(),
            phase: Phase::Neither,
            reply: None,
            set: BTreeMap::new(),
        };
        Self { stream }.from("203.0.113.7:49152")
    }

    /// The address of the connection, as the host shows it.
    pub fn from(self, address: &str) -> Self {
        self.property(b"source\0address", Some(address.as_bytes()))
    }

    /// A property that may be read; `None` does not exist.
    pub fn property(mut self, path: &[u8], value: Option<&[u8]>) -> Self {
        self.stream
            .properties
            .insert(path.to_vec(), value.map(<[u8]>::to_vec));
        self
    }

    /// A property that no correct module reads for this request.
    pub fn without_property(mut self, path: &[u8]) -> Self {
        self.stream.properties.remove(path);
        self
    }

    pub fn method(mut self, method: &str) -> Self {
        self.stream.request.replace(b":method", method.as_bytes());
        self
    }

    /// One more header.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.raw_header(name.as_bytes(), value.as_bytes())
    }

    pub fn raw_header(mut self, name: &[u8], value: &[u8]) -> Self {
        self.stream.request.add(name, value);
        self
    }

    /// Without the headers of that name.
    pub fn without(mut self, name: &[u8]) -> Self {
        self.stream.request.0.retain(|(held, _)| held != name);
        self
    }

    /// As gRPC clients mark themselves.
    pub fn grpc(self) -> Self {
        self.method("POST")
            .header("content-type", "application/grpc")
    }

    /// One more header of the upstream's answer.
    pub fn upstream_header(mut self, name: &str, value: &str) -> Self {
        self.stream.response.add(name.as_bytes(), value.as_bytes());
        self
    }

    /// The stream in which it arrives.
    pub fn stream(&self) -> Stream {
        self.stream.clone()
    }
}
