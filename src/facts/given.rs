//! A request for tests: what is given is all that is known of it.

use super::{Source, Unreadable};

/// A request of which this is known.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its headers, in order.
    pub headers: Vec<(&'static str, &'static [u8])>,
    /// Its client's address.
    pub peer: Option<&'static str>,
    /// Its route, or why that cannot be read.
    pub route: Result<Option<&'static str>, Unreadable>,
}

impl Given {
    /// A request without headers and route.
    pub fn from(peer: &'static str) -> Self {
        Self {
            headers: Vec::new(),
            peer: Some(peer),
            route: Ok(None),
        }
    }

    /// The same with these headers.
    pub fn with(self, headers: &[(&'static str, &'static str)]) -> Self {
        let headers = headers.iter();
        Self {
            headers: headers
                .map(|(name, value)| (*name, value.as_bytes()))
                .collect(),
            ..self
        }
    }
}

impl Source for Given {
    fn headers(&mut self) -> Result<Vec<u8>, Unreadable> {
        let number = |length: usize| u32::try_from(length).unwrap_or(0).to_le_bytes();
        let mut bytes = number(self.headers.len()).to_vec();
        for (name, value) in &self.headers {
            bytes.extend([number(name.len()), number(value.len())].as_flattened());
        }
        for (name, value) in &self.headers {
            for text in [name.as_bytes(), value] {
                bytes.extend(text);
                bytes.push(0);
            }
        }
        Ok(bytes)
    }

    fn header(&mut self, name: &str) -> Result<Option<Vec<u8>>, Unreadable> {
        let found = self.headers.iter().find(|(found, _)| *found == name);
        Ok(found.map(|(_, value)| value.to_vec()))
    }

    fn peer(&mut self) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(self.peer.map(|peer| peer.as_bytes().to_vec()))
    }

    fn route(&mut self) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(self.route?.map(|route| route.as_bytes().to_vec()))
    }
}
