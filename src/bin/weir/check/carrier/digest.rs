//! The digest that a proxy holds what it fetches to.

use crate::check::diagnostic::Diagnostic;
use crate::check::tree::Here;

/// Whether something that is fetched has to have a digest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// Envoy.
    Required,
    /// Istio and Envoy Gateway.
    Optional,
}

/// Tells of what is the digest of nothing. Envoy compares the text of both, and tells nobody that they differ: it fetches
/// the module, and never opens the listener.
pub fn judged(from: Here<'_>, digest: Digest) -> Option<Diagnostic> {
    let given = from.given("sha256");
    match given.filter(|given| given.text() != Some("")) {
        None if digest == Digest::Optional => None,
        None => Some(Diagnostic::error(from.at(), "", MISSING)),
        Some(given) if given.text().is_some_and(is_digest) => {
            let is_placeholder = given
                .text()
                .is_some_and(|text| text.bytes().all(|byte| byte == b'0'));
            is_placeholder.then(|| Diagnostic::warning(given.at(), "", PLACEHOLDER))
        }
        Some(given) => {
            let message = format!("{} is not allowed; {EXPECTED}", given.node);
            Some(Diagnostic::error(given.at(), "", &message))
        }
    }
}

const MISSING: &str =
    "there is no \"sha256\"; expected the digest of the module, which Envoy requires";

const PLACEHOLDER: &str =
    "holds the place of a digest, and nothing has it; put that there which \"make oci\" prints";

const EXPECTED: &str = "expected 64 hexadecimal digits, in lower case and quotes";

fn is_digest(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 64 && text.bytes().all(is_digit)
}
