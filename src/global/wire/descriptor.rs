//! What a limiter counts apart, in words that every engine's JSON can carry.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

/// An ordered list of keys and values. Made once, written into every call that debits it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    entries: Vec<(Box<str>, Box<str>)>,
}

impl Descriptor {
    /// Appends an entry.
    ///
    /// A value that is not UTF-8, or longer than 1,024 bytes, stands there as the digest of all of it, and so does one
    /// that looks like such a digest. So unequal values are unequal text.
    pub fn push(&mut self, key: &str, value: &[u8]) {
        let text = match str::from_utf8(value) {
            Ok(text) if text.len() <= MAX_VALUE && !text.starts_with(DIGEST) => text.into(),
            _ => digest(value).into(),
        };
        self.entries.push((key.into(), text));
    }

    /// Appends an entry for a server that joins keys and values by `_`: a value with one of these `keys` between two of
    /// them would pass for that key and what follows, so it stands as its digest.
    pub fn push_apart(&mut self, key: &str, value: &[u8], keys: &[Box<str>]) {
        let holds = |key: &str| {
            let mut windows = value.windows(key.len() + 2);
            windows.any(|window| {
                let inner = window.strip_prefix(b"_");
                inner.and_then(|inner| inner.strip_suffix(b"_")) == Some(key.as_bytes())
            })
        };
        if keys.iter().any(|key| holds(key)) {
            self.entries.push((key.into(), digest(value).into()));
        } else {
            self.push(key, value);
        }
    }

    /// The entries in order, keys first.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(key, value)| (&**key, &**value))
    }
}

/// The longest value, in bytes, that is written as it is: as everywhere in the configuration.
const MAX_VALUE: usize = 1_024;

/// What a digest begins with.
const DIGEST: &str = "sip128:";

/// SipHash-2-4 of 128 bits, in hexadecimal. All proxies must arrive at the same, so its key is no secret and a client
/// can look for two values of its own with one digest, 2^64 tries; for one with another's digest it takes 2^128.
pub(super) fn digest(bytes: &[u8]) -> String {
    let mut hasher = SipHasher24::new();
    hasher.write(bytes);
    let digest = hasher.finish128();
    format!("{DIGEST}{:016x}{:016x}", digest.h1, digest.h2)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn text(value: &[u8]) -> String {
        let mut descriptor = Descriptor::default();
        descriptor.push("key", value);
        let (_, text) = descriptor.entries().next().unwrap();
        text.to_owned()
    }

    #[test]
    fn text_stands_as_it_is() {
        for value in ["", "acme", "é☃", "a\0\"b\\", &"x".repeat(1_024)] {
            assert_eq!(text(value.as_bytes()), value);
        }
    }

    #[test]
    fn what_json_cannot_carry_stands_as_its_digest() {
        let long = "x".repeat(1_025);
        for value in [
            b"\xff\xfe".as_slice(),
            long.as_bytes(),
            b"sip128:",
            b"\xed\xa0\x80",
        ] {
            let text = text(value);
            assert_eq!(text.len(), 39);
            assert!(text.starts_with("sip128:"), "{text}");
        }
    }

    #[test]
    fn no_value_passes_for_another_s_digest() {
        let digest = text(b"\xff");
        assert_ne!(text(digest.as_bytes()), digest);
        assert_ne!(text(b"\xff\0"), digest);
    }

    #[test]
    fn no_value_passes_for_a_key_and_its_value() {
        let joined = |entries: &[(&str, &str)]| {
            let keys = ["tenant".into(), "plan".into()];
            let mut descriptor = Descriptor::default();
            for (key, value) in entries {
                descriptor.push_apart(key, value.as_bytes(), &keys);
            }
            let parts = descriptor.entries().flat_map(|(key, value)| [key, value]);
            parts.collect::<Vec<_>>().join("_") + "_"
        };
        let gold = joined(&[("tenant", "y"), ("plan", "gold")]);
        assert_eq!(gold, "tenant_y_plan_gold_");
        assert_ne!(joined(&[("tenant", "y_plan_gold")]), gold);
        assert_ne!(
            joined(&[("tenant", "x_plan_y"), ("plan", "z")]),
            joined(&[("tenant", "x"), ("plan", "y_plan_z")])
        );
        // Anything else stays what the server's own configuration may name.
        assert_eq!(joined(&[("tenant", "a_b_plans_c")]), "tenant_a_b_plans_c_");
    }

    #[test]
    fn every_proxy_arrives_at_the_same_digest() {
        assert_eq!(text(b"\xff"), "sip128:673908bb61298368ac771176f551e871");
    }
}
