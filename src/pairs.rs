//! Header fields as proxy-wasm passes them: a count, the lengths of all names and values, then each name and
//! each value with a NUL behind it. Integers are 32 bits, little-endian.

/// Fields on their way into one buffer.
#[derive(Debug)]
pub struct Pairs {
    count: u32,
    lengths: Vec<u8>,
    texts: Vec<u8>,
}

impl Pairs {
    /// None yet; with room for a refusal in both dialects by a rule or two.
    #[must_use]
    pub fn with_room() -> Self {
        Self {
            count: 0,
            lengths: Vec::with_capacity(128),
            texts: Vec::with_capacity(512),
        }
    }

    /// Adds a field whose value `write` appends.
    pub fn add(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.texts.extend_from_slice(name.as_bytes());
        self.texts.push(0);
        let start = self.texts.len();
        write(&mut self.texts);
        let value_len = self.texts.len().saturating_sub(start);
        self.texts.push(0);
        self.count = self.count.saturating_add(1);
        self.push_length(name.len());
        self.push_length(value_len);
    }

    /// Adds a field whose value is known.
    pub fn add_text(&mut self, name: &str, value: &str) {
        self.add(name, |out| out.extend_from_slice(value.as_bytes()));
    }

    /// The buffer.
    pub fn finish(self) -> Vec<u8> {
        let count = self.count.to_le_bytes();
        [&count, self.lengths.as_slice(), &self.texts].concat()
    }

    fn push_length(&mut self, length: usize) {
        // What is written here comes from a configuration, itself far shorter than 4 GiB.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.lengths.extend_from_slice(&length.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn fields_are_laid_out_as_the_host_reads_them() {
        let mut pairs = Pairs::with_room();
        pairs.add("retry-after", |value| value.push(b'5'));
        pairs.add_text("x", "");
        assert_eq!(
            pairs.finish(),
            b"\x02\0\0\0\x0b\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0retry-after\x005\0x\0\0"
        );
        assert_eq!(Pairs::with_room().finish(), [0; 4]);
    }
}
