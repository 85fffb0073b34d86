//! Header maps and their form on the wire between host and module.
//!
//! A count, then the length of each name and value, all little-endian `u32`, then each name and value,
//! each followed by a NUL.

/// Headers in order; names and values are bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderMap(pub Vec<(Vec<u8>, Vec<u8>)>);

impl HeaderMap {
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        self.0.push((name.to_vec(), value.to_vec()));
    }

    /// In the place of the first of that name, without the others.
    pub fn replace(&mut self, name: &[u8], value: &[u8]) {
        let first = self.0.iter().position(|(held, _)| held == name);
        let at = first.unwrap_or(self.0.len());
        self.0.retain(|(held, _)| held != name);
        self.0.insert(at, (name.to_vec(), value.to_vec()));
    }

    pub fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(held, _)| held == name)
            .map(|(_, value)| value.as_slice())
    }

    /// The first value as text; "" when there is none.
    pub fn text(&self, name: &str) -> String {
        self.first(name.as_bytes()).map_or_else(String::new, show)
    }

    pub fn serialise(&self) -> Vec<u8> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let mut out = u32::try_from(self.0.len()).unwrap().to_le_bytes().to_vec();
        for (name, value) in &self.0 {
            out.extend(length(name));
            out.extend(length(value));
        }
        for part in self.0.iter().flat_map(|(name, value)| [name, value]) {
            out.extend(part);
            out.push(0);
        }
        out
    }

    /// What the host reads of the module's bytes; `None` when they are not exactly one map.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let number = |at: usize| {
            let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
            usize::try_from(u32::from_le_bytes(four)).ok()
        };
        let count = number(0)?;
        let mut at = 4 + 8 * count;
        let mut part = |length: usize| {
            let part = bytes.get(at..at + length)?;
            (*bytes.get(at + length)? == 0).then_some(())?;
            at += length + 1;
            Some(part.to_vec())
        };
        let mut map = Self::default();
        for index in 0..count {
            let name = part(number(4 + 8 * index)?)?;
            map.0.push((name, part(number(8 + 8 * index)?)?));
        }
        (at == bytes.len()).then_some(map)
    }
}

/// Bytes as a line of text: what is not printable is escaped.
pub fn show(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => bytes.escape_ascii().to_string(),
    }
}
