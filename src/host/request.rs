//! The request whose callback is running, as the source of its facts.

use super::call::{self, Map};
use crate::facts::Source;

/// The current request.
#[derive(Clone, Copy, Debug)]
pub struct Request;

impl Source for Request {
    fn headers(&mut self) -> Option<Vec<u8>> {
        call::read_header_map(Map::Request).ok()
    }

    fn header(&mut self, name: &str) -> Option<Vec<u8>> {
        call::read_header(Map::Request, name).ok()
    }

    fn peer(&mut self) -> Option<Vec<u8>> {
        call::read_property(b"source\0address").ok()
    }

    fn route(&mut self) -> Option<Vec<u8>> {
        call::read_property(b"xds\0route_name").ok()
    }
}
