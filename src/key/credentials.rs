//! Credentials, as `authorization` and `proxy-authorization` carry them (RFC 9110 §11.4).

use std::borrow::Cow;

use crate::facts::{Missing, stripped};

/// Whether a header's value is credentials; `name` is in lower case.
pub(super) fn are_in(name: &str) -> bool {
    matches!(name, "authorization" | "proxy-authorization")
}

/// One spelling of a [`stripped`] value: its scheme in lower case (§11.1), and one blank behind it. A value that is one
/// word stays as it is, since it may be a key without a scheme.
///
/// # Errors
/// [`Missing::Repeated`] where it is several values, which Envoy has joined by commas.
pub(super) fn folded(value: &[u8]) -> Result<Cow<'_, [u8]>, Missing> {
    let blank = value.iter().position(|byte| matches!(byte, b' ' | b'\t'));
    let (scheme, rest) = value
        .split_at_checked(blank.unwrap_or(value.len()))
        .unwrap_or_default();
    let rest = stripped(rest);
    if scheme.contains(&b',') || !are_one(rest) {
        return Err(Missing::Repeated);
    }
    if rest.is_empty() {
        return Ok(Cow::Borrowed(value));
    }
    let mut folded = scheme.to_ascii_lowercase();
    folded.push(b' ');
    folded.extend_from_slice(rest);
    Ok(Cow::Owned(folded))
}

/// Whether what follows a scheme is one token, which has no comma, or one list of parameters.
fn are_one(rest: &[u8]) -> bool {
    if !rest.contains(&b',') {
        return true;
    }
    let (mut quoted, mut escaped) = (false, false);
    let mut elements = rest.split(|byte| {
        quoted ^= *byte == b'"' && !escaped;
        escaped = quoted && *byte == b'\\' && !escaped;
        *byte == b',' && !quoted
    });
    elements.all(is_parameter) && !quoted
}

/// Whether this is `name=value`. A token may have `=` too, but only at its end.
fn is_parameter(element: &[u8]) -> bool {
    let element = stripped(element);
    let Some(equals) = element.iter().position(|byte| *byte == b'=') else {
        return false;
    };
    let (name, value) = element.split_at_checked(equals).unwrap_or_default();
    let is_name = !stripped(name)
        .iter()
        .any(|byte| matches!(byte, b' ' | b'\t'));
    is_name && !value.iter().all(|byte| *byte == b'=')
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_scheme_is_one_however_it_is_written() {
        for (written, counted) in [
            ("Bearer x", "bearer x"),
            ("bearer x", "bearer x"),
            ("BEARER \t x", "bearer x"),
            ("Bearer X", "bearer X"),
            ("Basic dXNlcg==", "basic dXNlcg=="),
            ("Bearer x  y", "bearer x  y"),
            ("Token", "Token"),
            ("xYz==", "xYz=="),
            ("é x", "é x"),
        ] {
            let folded = folded(written.as_bytes()).unwrap();
            assert_eq!(folded, counted.as_bytes(), "{written}");
        }
    }

    #[test]
    fn parameters_are_one_value() {
        for one in [
            r#"Digest username="a, \"b,", uri="/a,b", qop=auth"#,
            "AWS4-HMAC-SHA256 Credential=a/b/aws4_request, SignedHeaders=host;x-date,Signature=0f",
            r#"Digest realm = "a" , nc=1"#,
        ] {
            assert!(folded(one.as_bytes()).is_ok(), "{one}");
        }
    }

    #[test]
    fn joined_values_are_repeated() {
        for joined in [
            "Bearer x,Bearer y",
            "Bearer x, Bearer y",
            "Bearer x,y",
            "Bearer x,",
            "Basic dXNlcg==,Basic dXNlcg==",
            "Bearer a=b,Bearer y",
            "Bearer a=b,Bearer c=d",
            r#"Bearer a="b,Bearer y"#,
            r#"Bearer a="b\",Bearer y"#,
            "x,y",
            "a=b,c=d",
            "x,Bearer y",
            ",",
        ] {
            let folded = folded(joined.as_bytes());
            assert_eq!(folded, Err(Missing::Repeated), "{joined}");
        }
    }
}
