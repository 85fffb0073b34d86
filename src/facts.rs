//! What is known about a request: read once, byte by byte, and no more of it than the rules need.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::address;
use crate::path;
use crate::plan::{AddressSource, ClientIp};

/// Where facts come from. Each call costs the host about 10,000 instructions, so none is made twice.
pub trait Source {
    /// Whether the host appends the peer's address to `X-Forwarded-For`. Where it does not, all of that is what the peer
    /// has sent.
    const APPENDS_PEER: bool = true;

    /// All request headers, serialised as [`HeaderMap`] describes.
    ///
    /// # Errors
    /// [`Unreadable`] when the host does not hand them out.
    fn headers(&mut self) -> Result<Vec<u8>, Unreadable>;

    /// The first value of one request header; when there is none, a fifth of the cost.
    ///
    /// # Errors
    /// [`Unreadable`] when the host cannot tell.
    fn header(&mut self, name: &str) -> Result<Option<Vec<u8>>, Unreadable>;

    /// The proxy's view of the client's address, with or without a port.
    ///
    /// # Errors
    /// [`Unreadable`] when the host cannot tell.
    fn peer(&mut self) -> Result<Option<Vec<u8>>, Unreadable>;

    /// The name of the proxy's route.
    ///
    /// # Errors
    /// [`Unreadable`] when the host cannot tell.
    fn route(&mut self) -> Result<Option<Vec<u8>>, Unreadable>;
}

/// A fact that the host did not give, and the status with which it did not. Unlike one that is absent, it is
/// a fault: the request cannot be judged by a rule that needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub i32);

/// The facts read so far.
#[derive(Debug)]
pub struct Facts<'s, S> {
    source: &'s mut S,
    headers: Option<HeaderMap>,
    headers_fault: Option<Unreadable>,
    path: Option<Option<Vec<u8>>>,
    normalized_path: Option<Option<Vec<u8>>>,
    client_ip: Option<Result<Option<IpAddr>, Unreadable>>,
    route: Option<Result<Option<Vec<u8>>, Unreadable>>,
    fault: Option<Unreadable>,
}

impl<'s, S: Source> Facts<'s, S> {
    /// Nothing read yet.
    pub const fn new(source: &'s mut S) -> Self {
        Self {
            source,
            headers: None,
            headers_fault: None,
            path: None,
            normalized_path: None,
            client_ip: None,
            route: None,
            fault: None,
        }
    }

    /// Forgets which facts were asked for in vain; see [`Self::fault`].
    pub const fn expect_no_fault(&mut self) {
        self.fault = None;
    }

    /// Why a fact that was asked for since [`Self::expect_no_fault`] is missing, if the host did not give it.
    #[must_use]
    pub const fn fault(&self) -> Option<Unreadable> {
        self.fault
    }

    /// The request headers; none where they cannot be read.
    pub fn headers(&mut self) -> &HeaderMap {
        if self.headers.is_none() {
            let read = self.source.headers();
            self.headers_fault = read.as_ref().err().copied();
            self.headers = Some(HeaderMap::new(read.unwrap_or_default()));
        }
        self.fault = self.fault.or(self.headers_fault);
        self.headers.get_or_insert_default()
    }

    /// The path without its query, in its normal form; `None` for a request that has no path.
    pub fn path(&mut self) -> Option<&[u8]> {
        if self.path.is_none() {
            let written = self.headers().one(":path").ok();
            self.path = Some(written.map(|written| path::normal(written).into_owned()));
        }
        self.fault = self.fault.or(self.headers_fault);
        self.path.as_ref()?.as_deref()
    }

    /// [`Self::path`] after [`path::normalize`].
    pub fn normalized_path(&mut self) -> Option<&[u8]> {
        if self.normalized_path.is_none() {
            let normalized = self.path().map(path::normalize);
            self.normalized_path = Some(normalized.map(Cow::into_owned));
        }
        self.fault = self.fault.or(self.headers_fault);
        self.normalized_path.as_ref()?.as_deref()
    }

    /// Whether the caller speaks gRPC, and must be refused in its own terms. HTTP where that cannot be read.
    ///
    /// Compared as it was sent: with blanks around it, it is not gRPC to Envoy, which writes the reply.
    pub fn is_grpc(&mut self) -> bool {
        const NAME: &str = "content-type";
        match &self.headers {
            Some(headers) => {
                let sent = headers.iter().find(|(name, _)| *name == NAME.as_bytes());
                sent.is_some_and(|(_, media_type)| is_grpc(media_type))
            }
            None => {
                let media_type = self.source.header(NAME).ok().flatten();
                media_type.is_some_and(|media_type| is_grpc(&media_type))
            }
        }
    }

    /// The client's address, aggregated by its prefix; `None` when there is none that can be read.
    pub fn client_ip(&mut self, policy: &ClientIp) -> Option<IpAddr> {
        let found = match self.client_ip {
            Some(found) => found,
            None => {
                let found = self.find_client_ip(policy);
                *self.client_ip.insert(found)
            }
        };
        self.note(found)
    }

    /// The name of the proxy's route; `None` when it has none.
    pub fn route(&mut self) -> Option<&[u8]> {
        let source = &mut self.source;
        match self.route.get_or_insert_with(|| source.route()) {
            Ok(route) => route.as_deref().filter(|route| !route.is_empty()),
            Err(fault) => {
                self.fault = self.fault.or(Some(*fault));
                None
            }
        }
    }

    fn find_client_ip(&mut self, policy: &ClientIp) -> Result<Option<IpAddr>, Unreadable> {
        let address = match &policy.source {
            AddressSource::Connection => None,
            AddressSource::ForwardedFor(trusted) => self.forwarded_for(trusted)?,
        };
        let address = match address {
            Some(address) => Some(address),
            None => self.peer()?,
        };
        let (v4, v6) = (policy.v4_prefix, policy.v6_prefix);
        Ok(address.map(|address| address::aggregate(address, v4, v6)))
    }

    /// The address that `X-Forwarded-For` gives, as far as it was written by proxies that are trusted.
    fn forwarded_for(&mut self, trusted: &[IpNet]) -> Result<Option<IpAddr>, Unreadable> {
        let is_trusted = |peer: &IpAddr| trusted.iter().any(|network| network.contains(peer));
        let peer = if S::APPENDS_PEER { None } else { self.peer()? };
        if !S::APPENDS_PEER && !peer.as_ref().is_some_and(is_trusted) {
            return Ok(peer);
        }
        let forwarded = address::forwarded_for(self.headers().all("x-forwarded-for"), trusted);
        // Headers that cannot be read are not an absent X-Forwarded-For: all would be one client, the proxy.
        self.headers_fault.map_or(Ok(forwarded.or(peer)), Err)
    }

    fn peer(&mut self) -> Result<Option<IpAddr>, Unreadable> {
        let peer = self.source.peer()?;
        Ok(peer.and_then(|peer| address::parse(&peer)))
    }

    fn note<T>(&mut self, found: Result<Option<T>, Unreadable>) -> Option<T> {
        match found {
            Ok(found) => found,
            Err(fault) => {
                self.fault = self.fault.or(Some(fault));
                None
            }
        }
    }
}

/// Headers as the host serialises them, read in place.
///
/// A count, then a name length and a value length for each header, then each name and each value followed by
/// a zero byte; numbers are 32 bits, little-endian. What does not hold together ends the map early.
#[derive(Debug, Default)]
pub struct HeaderMap {
    bytes: Vec<u8>,
}

impl HeaderMap {
    /// A map over what the host gave.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// Each header's name and value, in the order sent.
    pub fn iter(&self) -> Headers<'_> {
        let (count, rest) = split_u32(&self.bytes).unwrap_or((0, &[]));
        let table_len = usize::try_from(count)
            .unwrap_or(usize::MAX)
            .saturating_mul(8);
        let (lengths, text) = rest.split_at_checked(table_len).unwrap_or((&[], &[]));
        Headers { lengths, text }
    }

    /// Every value of a header, [`stripped`], in the order sent. `name` is in lower case, as Envoy gives names; Kong's host gives
    /// those of HTTP/1 as they were written.
    pub fn all<'h>(&'h self, name: &'h str) -> impl DoubleEndedIterator<Item = &'h [u8]> {
        self.named(name).collect::<Vec<_>>().into_iter()
    }

    /// The only value of a header, [`stripped`].
    ///
    /// # Errors
    /// [`Missing`] when there is none, or more than one.
    pub fn one(&self, name: &str) -> Result<&[u8], Missing> {
        only(self.named(name))
    }

    fn named<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.iter()
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| stripped(value))
    }
}

/// A value without the blanks and tabs around it. They are no part of it (RFC 9110 §5.5), but Envoy hands on those that
/// come over HTTP/2.
#[must_use]
pub const fn stripped(value: &[u8]) -> &[u8] {
    let mut value = value;
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Why there is no one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is not there, or empty.
    Absent,
    /// It is there more than once. Servers differ about which of two counts, so neither can be what is counted
    /// by; and nobody sends two by chance.
    Repeated,
}

/// The only one of some values.
///
/// # Errors
/// [`Missing`] when there is none, or more than one.
pub fn only<'v>(mut values: impl Iterator<Item = &'v [u8]>) -> Result<&'v [u8], Missing> {
    let value = values.next().ok_or(Missing::Absent)?;
    match values.next() {
        Some(_) => Err(Missing::Repeated),
        None if value.is_empty() => Err(Missing::Absent),
        None => Ok(value),
    }
}

/// Iterator over the headers of a [`HeaderMap`].
#[derive(Clone, Debug)]
pub struct Headers<'h> {
    lengths: &'h [u8],
    text: &'h [u8],
}

impl<'h> Iterator for Headers<'h> {
    type Item = (&'h [u8], &'h [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name_len, rest) = split_u32(self.lengths)?;
        let (value_len, rest) = split_u32(rest)?;
        self.lengths = rest;
        Some((self.take(name_len)?, self.take(value_len)?))
    }
}

impl<'h> Headers<'h> {
    /// The next `len` bytes, without the zero after them.
    fn take(&mut self, len: u32) -> Option<&'h [u8]> {
        let (taken, rest) = self.text.split_at_checked(usize::try_from(len).ok()?)?;
        self.text = rest.split_first()?.1;
        Some(taken)
    }
}

/// Whether a media type is gRPC's as Envoy sees it, whose reply it becomes: alone or with a `+suffix`.
/// `application/grpc-web` is not: such a caller reads HTTP, and to it a gRPC refusal would be a success.
fn is_grpc(media_type: &[u8]) -> bool {
    let rest = media_type.strip_prefix(b"application/grpc");
    matches!(rest, Some([] | [b'+', ..]))
}

fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*head), rest))
}

#[cfg(test)]
pub mod given;
#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn only_grpc_itself_is_grpc() {
        for grpc in ["", "+proto"] {
            assert!(is_grpc(format!("application/grpc{grpc}").as_bytes()));
        }
        for other in [
            "",
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpc;a=b",
        ] {
            assert!(!is_grpc(other.as_bytes()));
        }
    }

    fn map(count: u32, lengths: &[u32], text: &[u8]) -> HeaderMap {
        let numbers = std::iter::once(&count).chain(lengths);
        let mut bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
        bytes.extend(text);
        HeaderMap::new(bytes)
    }

    #[test]
    fn a_header_is_there_once_or_it_is_missing() {
        let map = map(3, &[1, 1, 1, 2, 1, 0], b"a\x001\0b\0\xff\xfe\0c\0\0");
        assert_eq!(map.one("a"), Ok(&b"1"[..]));
        assert_eq!(map.one("b"), Ok(&b"\xff\xfe"[..]));
        assert_eq!(map.one("c"), Err(Missing::Absent));
        assert_eq!(map.all("c").count(), 1);
        assert_eq!(map.one("d"), Err(Missing::Absent));
        let twice = super::tests::map(2, &[1, 0, 1, 1], b"a\0\0a\x001\0");
        assert_eq!(twice.one("a"), Err(Missing::Repeated));
    }

    #[test]
    fn blanks_and_tabs_are_no_part_of_a_value() {
        let map = map(3, &[1, 6, 1, 3, 1, 3], b"a\0 \t1 2\t\0b\0\t \t\0c\0\r1\n\0");
        assert_eq!(map.one("a"), Ok(&b"1 2"[..]));
        assert_eq!(map.one("b"), Err(Missing::Absent));
        assert_eq!(map.one("c"), Ok(&b"\r1\n"[..]));
        let all: Vec<_> = ["a", "b"].iter().flat_map(|name| map.all(name)).collect();
        assert_eq!(all, [&b"1 2"[..], b""]);
    }

    #[test]
    fn a_map_that_does_not_hold_together_ends_early() {
        let whole = b"a\x001\0b\x002\0";
        for cut in 0..whole.len() {
            let map = map(2, &[1, 1, 1, 1], &whole[..cut]);
            assert_eq!(map.iter().count(), cut / 4, "{cut}");
        }
        for (count, lengths) in [
            (u32::MAX, &[1, 1][..]),
            (2, &[1, 1]),
            (1, &[u32::MAX, u32::MAX]),
        ] {
            assert_eq!(map(count, lengths, b"a\x001\0").iter().count(), 0);
        }
        for length in 0..4 {
            assert_eq!(HeaderMap::new(vec![0xff; length]).iter().count(), 0);
        }
    }
}
