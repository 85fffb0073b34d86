//! A caller: one connection, requests one after the other, whole answers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::HeaderMap;
use hyper::http::request::Builder;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Long enough for any machine: what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection to the proxy.
pub enum Connection {
    Http1(http1::SendRequest<Empty<Bytes>>),
    Http2(http2::SendRequest<Empty<Bytes>>),
}

impl Connection {
    pub async fn http1(to: SocketAddr) -> Self {
        Self::http1_from(Ipv4Addr::LOCALHOST, to).await
    }

    /// A client with an address of its own: all of 127.0.0.0/8 is the loopback.
    pub async fn http1_from(from: Ipv4Addr, to: SocketAddr) -> Self {
        let (sender, connection) = http1::handshake(TokioIo::new(connect(from, to).await))
            .await
            .unwrap();
        tokio::spawn(connection);
        Self::Http1(sender)
    }

    /// HTTP/2 without TLS, by prior knowledge.
    pub async fn http2(to: SocketAddr) -> Self {
        let stream = TokioIo::new(connect(Ipv4Addr::LOCALHOST, to).await);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream)
            .await
            .unwrap();
        tokio::spawn(connection);
        Self::Http2(sender)
    }

    /// A handle for another stream of this connection.
    pub fn another_stream(&self) -> Self {
        match self {
            Self::Http1(_) => panic!("a connection of HTTP/1.1 has one"),
            Self::Http2(sender) => Self::Http2(sender.clone()),
        }
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&mut self, request: Builder) -> Answer {
        let mut request = request.body(Empty::new()).unwrap();
        let response = async {
            match self {
                Self::Http1(sender) => {
                    sender.ready().await.unwrap();
                    sender.send_request(request).await.unwrap()
                }
                Self::Http2(sender) => {
                    make_absolute(&mut request);
                    sender.ready().await.unwrap();
                    sender.send_request(request).await.unwrap()
                }
            }
        };
        let answer = async { Answer::read(response.await).await };
        timeout(PATIENCE, answer).await.expect("the proxy hangs")
    }

    /// The statuses of `n` requests alike.
    pub async fn statuses(&mut self, n: usize, request: impl Fn() -> Builder) -> Vec<u16> {
        let mut statuses = Vec::new();
        for _ in 0..n {
            statuses.push(self.send(request()).await.status);
        }
        statuses
    }
}

/// A whole answer.
pub struct Answer {
    pub status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    async fn read(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap();
        let mut headers = head.headers;
        headers.extend(body.trailers().cloned().unwrap_or_default());
        Self {
            status: head.status.as_u16(),
            headers,
            body: body.to_bytes().into(),
        }
    }

    /// A header or trailer that is there at most once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?.to_str().unwrap();
        assert_eq!(values.next(), None, "{name} is repeated");
        Some(value)
    }

    /// The lines of a header that may be there several times.
    pub fn lines(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.get_all(name).iter();
        lines.map(|line| line.to_str().unwrap()).collect()
    }

    /// A header that must be there, as a whole number.
    pub fn number(&self, name: &str) -> u64 {
        let value = self
            .header(name)
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.headers));
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}: {value} is not a number"))
    }

    /// Whether its headers or its body hold this text.
    pub fn mentions(&self, text: &str) -> bool {
        let mut held = self
            .headers
            .values()
            .map(|value| value.as_bytes())
            .chain([&*self.body]);
        held.any(|bytes| String::from_utf8_lossy(bytes).contains(text))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }
}

/// A GET request, still to be given headers.
pub fn get(path: &str) -> Builder {
    Request::builder().uri(path).header("host", "weir.test")
}

/// The same with another method.
pub fn request(method: Method, path: &str) -> Builder {
    get(path).method(method)
}

async fn connect(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::V4(from), 0)).unwrap();
    let stream = timeout(PATIENCE, socket.connect(to))
        .await
        .expect("connecting hangs")
        .unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// HTTP/2 sends `:authority` and `:scheme`, which hyper takes from an absolute target.
fn make_absolute(request: &mut Request<Empty<Bytes>>) {
    let host = request.headers_mut().remove("host").unwrap();
    *request.uri_mut() = format!("http://{}{}", host.to_str().unwrap(), request.uri())
        .parse()
        .unwrap();
}
