//! The request whose callback is running, as the source of its facts.

use super::call::{self, HostError, Map, Outcome};
use crate::facts::{Source, Unreadable};

/// The current request.
#[derive(Clone, Copy, Debug)]
pub struct CurrentRequest {
    /// How many header fields it has, as the host counts them.
    pub fields: usize,
}

/// It has more header fields than can be read.
const TOO_MANY_FIELDS: Unreadable = Unreadable(-1);

impl Source for CurrentRequest {
    const APPENDS_PEER: bool = !cfg!(feature = "kong");

    fn headers(&mut self) -> Result<Vec<u8>, Unreadable> {
        if !call::is_readable(self.fields) {
            return Err(TOO_MANY_FIELDS);
        }
        call::read_header_map(Map::Request).map_err(unreadable)
    }

    fn header(&mut self, name: &str) -> Result<Option<Vec<u8>>, Unreadable> {
        if_there(call::read_header(Map::Request, name))
    }

    fn peer(&mut self) -> Result<Option<Vec<u8>>, Unreadable> {
        if_there(call::read_property(b"source\0address"))
    }

    fn route(&mut self) -> Result<Option<Vec<u8>>, Unreadable> {
        if_there(call::read_property(b"xds\0route_name"))
    }
}

fn if_there(read: Outcome<Vec<u8>>) -> Result<Option<Vec<u8>>, Unreadable> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(HostError::NotFound) => Ok(None),
        Err(error) => Err(unreadable(error)),
    }
}

const fn unreadable(error: HostError) -> Unreadable {
    Unreadable(error.status())
}
