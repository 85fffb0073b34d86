//! What is known about a request: read once, byte by byte, and no more of it than the rules need.

use std::net::IpAddr;

use crate::address;
use crate::path;
use crate::plan::{AddressSource, ClientIp};

/// Where facts come from. Each call costs the host about 10,000 instructions, so none is made twice.
pub trait Source {
    /// All request headers, serialised as [`HeaderMap`] describes.
    fn headers(&mut self) -> Option<Vec<u8>>;
    /// The first value of one request header; when there is none, a fifth of the cost.
    fn header(&mut self, name: &str) -> Option<Vec<u8>>;
    /// The proxy's view of the client's address, with or without a port.
    fn peer(&mut self) -> Option<Vec<u8>>;
    /// The name of the proxy's route.
    fn route(&mut self) -> Option<Vec<u8>>;
}

/// The facts read so far.
#[derive(Debug)]
pub struct Facts<'s, S> {
    source: &'s mut S,
    headers: Option<HeaderMap>,
    path: Option<Option<Vec<u8>>>,
    client_ip: Option<Option<IpAddr>>,
    route: Option<Option<Vec<u8>>>,
}

impl<'s, S: Source> Facts<'s, S> {
    /// Nothing read yet.
    pub const fn new(source: &'s mut S) -> Self {
        Self {
            source,
            headers: None,
            path: None,
            client_ip: None,
            route: None,
        }
    }

    /// The request headers.
    pub fn headers(&mut self) -> &HeaderMap {
        let source = &mut self.source;
        self.headers
            .get_or_insert_with(|| HeaderMap::new(source.headers().unwrap_or_default()))
    }

    /// The path without its query, in its normal form; `None` for a request that has no path.
    pub fn path(&mut self) -> Option<&[u8]> {
        if self.path.is_none() {
            let written = self.headers().one(":path");
            self.path = Some(written.map(|written| path::normal(written).into_owned()));
        }
        self.path.as_ref()?.as_deref()
    }

    /// Whether the caller speaks gRPC, and must be refused in its own terms.
    pub fn is_grpc(&mut self) -> bool {
        const NAME: &str = "content-type";
        let media_type = match &self.headers {
            Some(headers) => headers.one(NAME).map(<[u8]>::to_vec),
            None => self.source.header(NAME),
        };
        media_type.is_some_and(|media_type| is_grpc(&media_type))
    }

    /// The client's address, aggregated by its prefix; `None` when there is none that can be read.
    pub fn client_ip(&mut self, policy: &ClientIp) -> Option<IpAddr> {
        if let Some(known) = self.client_ip {
            return known;
        }
        let forwarded = match &policy.source {
            AddressSource::Connection => None,
            AddressSource::ForwardedFor(trusted) => {
                address::forwarded_for(self.headers().all("x-forwarded-for"), trusted)
            }
        };
        let address = forwarded.or_else(|| address::parse(&self.source.peer()?));
        let counted = address.map(|address| address::aggregate(address, policy));
        self.client_ip = Some(counted);
        counted
    }

    /// The name of the proxy's route; `None` when it has none.
    pub fn route(&mut self) -> Option<&[u8]> {
        let source = &mut self.source;
        let route = self.route.get_or_insert_with(|| source.route());
        route.as_deref().filter(|route| !route.is_empty())
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

    /// Every value of a header, in the order sent; `name` is in lower case, as hosts give names.
    pub fn all<'h>(&'h self, name: &'h str) -> impl DoubleEndedIterator<Item = &'h [u8]> {
        let named = self
            .iter()
            .filter(move |(found, _)| *found == name.as_bytes());
        named
            .map(|(_, value)| value)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The only value of a header; absent, empty and repeated ones are `None`.
    #[must_use]
    pub fn one(&self, name: &str) -> Option<&[u8]> {
        let mut named = self.iter().filter(|(found, _)| *found == name.as_bytes());
        let (_, value) = named.next()?;
        (named.next().is_none() && !value.is_empty()).then_some(value)
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

/// Whether a media type is gRPC's: alone, with a `+suffix` or with parameters. `application/grpc-web` is not:
/// such a caller reads HTTP, and to it a gRPC refusal would be a success.
fn is_grpc(media_type: &[u8]) -> bool {
    let rest = media_type.strip_prefix(b"application/grpc");
    matches!(rest, Some([] | [b'+' | b';', ..]))
}

fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*head), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn only_grpc_itself_is_grpc() {
        for grpc in ["", "+proto", ";charset=utf-8"] {
            assert!(is_grpc(format!("application/grpc{grpc}").as_bytes()));
        }
        for other in ["", "application/grpc-web", "application/grpc-web+proto"] {
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
        assert_eq!(map.one("a"), Some(&b"1"[..]));
        assert_eq!(map.one("b"), Some(&b"\xff\xfe"[..]));
        assert_eq!(map.one("c"), None);
        assert_eq!(map.all("c").count(), 1);
        assert_eq!(map.one("d"), None);
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
