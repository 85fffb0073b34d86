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

/// Tells of what is the digest of nothing. Envoy compares it as text: of a module with another it says no more than that
/// it could not be fetched, once it has tried for as long as it is told to, and answers every request 503.
pub fn judged(from: Here<'_>, digest: Digest) -> Option<Diagnostic> {
    let given = from.given("sha256");
    let Some(given) = given.filter(|given| given.text() != Some("")) else {
        let is_missing = digest == Digest::Required;
        return is_missing.then(|| Diagnostic::error(from.at(), "", MISSING));
    };
    let Some(text) = given.text().filter(|text| is_digest(text)) else {
        let message = format!("{} is not allowed; {EXPECTED}", given.node);
        return Some(Diagnostic::error(given.at(), "", &message));
    };
    let is_placeholder = text.bytes().all(|byte| byte == b'0');
    is_placeholder.then(|| Diagnostic::warning(given.at(), "", PLACEHOLDER))
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
