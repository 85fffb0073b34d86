//! Which rules a request meets.

use crate::facts::{Facts, Source};
use crate::plan::{Match, PathForm, Rule};

/// The longest path in bytes that a regular expression is compared with.
pub const MAX_MATCHED: usize = 2_048;

impl Match {
    /// Whether every condition holds for this request.
    pub fn holds<S: Source>(&self, facts: &mut Facts<'_, S>) -> bool {
        self.method_holds(facts) && self.path_holds(facts)
    }

    fn method_holds<S: Source>(&self, facts: &mut Facts<'_, S>) -> bool {
        if self.methods.is_empty() {
            return true;
        }
        let Ok(sent) = facts.headers().one(":method") else {
            return false;
        };
        let mut methods = self.methods.iter();
        methods.any(|method| method.as_bytes().eq_ignore_ascii_case(sent))
    }

    fn path_holds<S: Source>(&self, facts: &mut Facts<'_, S>) -> bool {
        if self.paths.is_empty() {
            return true;
        }
        // CONNECT sends no `:path` (RFC 9113 §8.5); its path is then compared as an empty one.
        let sent = facts.path().unwrap_or_default();
        let mut patterns = self.paths.iter();
        patterns.any(|pattern| pattern.form.matches(sent)) || self.resolved_path_holds(facts)
    }

    /// Whether a pattern with `normalize` holds for the path once `//` and dot segments are resolved. No where
    /// resolving changes nothing: the path as sent is compared anyway.
    #[cold]
    fn resolved_path_holds<S: Source>(&self, facts: &mut Facts<'_, S>) -> bool {
        let mut normalizing = self
            .paths
            .iter()
            .filter(|pattern| pattern.normalize)
            .peekable();
        if normalizing.peek().is_none() {
            return false;
        }
        // Whatever is resolved gets shorter.
        let sent = facts.path().map_or(0, <[u8]>::len);
        let resolved = facts.normalized_path().unwrap_or_default();
        resolved.len() < sent && normalizing.any(|pattern| pattern.form.matches(resolved))
    }
}

impl Rule {
    /// Whether the path in its key is the resolved one: it is where the resolved path meets a pattern, so that all
    /// spellings of that path share a counter. A path that the rule meets only as sent is counted as sent: resolved, it
    /// may be a path that the rule has nothing to do with, and a key made of it would be the client's choice.
    pub fn counts_resolved_path<S: Source>(&self, facts: &mut Facts<'_, S>) -> bool {
        let matches = self.matches.as_ref();
        matches.is_some_and(|matches| matches.resolved_path_holds(facts))
    }
}

impl PathForm {
    fn matches(&self, path: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => **exact == *path,
            // `*` and the empty path are not below `/`, but whoever limits `/` means everything.
            Self::Prefix(prefix) if **prefix == *b"/" => true,
            Self::Prefix(prefix) => path
                .strip_prefix(&**prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")),
            Self::Glob(glob) => glob.matches(path),
            // A longer one would cost its sender nothing and a worker milliseconds: it counts as matched, so that
            // length is no way out of a rule.
            Self::Regex(_) if path.len() > MAX_MATCHED => true,
            // A normal path is ASCII: nothing is lost here.
            Self::Regex(regex) => regex.is_match(&String::from_utf8_lossy(path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;
    use crate::facts::given::Given;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Whether a rule for this pattern holds for a request.
    fn holds(pattern: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let document = format!(
            r#"{{"rules": [{{"name": "a", "limits": "unlimited", "match": {{"path": {pattern}}}}}]}}"#
        );
        let plan = load(document.as_bytes(), &|_| None).unwrap();
        let matches = plan.rules[0].matches.as_ref().unwrap();
        matches.holds(&mut Facts::new(&mut sent(headers)))
    }

    fn sent(headers: &[(&'static str, &'static str)]) -> Given {
        Given::from("192.0.2.1").with(headers)
    }

    fn matches(pattern: &str, target: &'static str) -> bool {
        holds(pattern, &[(":path", target)])
    }

    #[test]
    fn a_pattern_holds_for_every_spelling_of_its_path() {
        for (pattern, held, others) in [
            (
                r#"{"exact": "/café|%2fx"}"#,
                &[
                    "/caf%c3%a9%7C%2Fx",
                    "/café|%2fx",
                    "/%63af%C3%A9|%2Fx?y#z",
                    "http://a/café|%2Fx",
                ][..],
                &["/café|/x", "/café|%252fx", "/café|%2fx/"][..],
            ),
            (r#"{"exact": "*"}"#, &["*"], &["/", "/*"]),
            (
                r#"{"prefix": "/api/"}"#,
                &["/api", "/api/", "/api/x", "/%61pi/x", "/api//", "/api?x"],
                &[
                    "/apix",
                    "/API",
                    "//api",
                    "/x/../api",
                    "/api%2Fx",
                    "/api;x",
                    "*",
                    "",
                ],
            ),
            (
                r#"{"prefix": "/api", "normalize": true}"#,
                &[
                    "/api",
                    "//api",
                    "/x/../api",
                    "/x/%2e%2E/api/y",
                    "/./api",
                    "/api/..",
                    "/api/../x",
                    "/api/%2e%2e/x",
                ],
                &["/apix", "//apix", "/apix/..", "/x/../apix", "/x/../y/.."],
            ),
            (
                r#"{"exact": "/x/../api/", "normalize": true}"#,
                &["/api/", "//api//", "/api/."],
                &["/api", "/api/..", "/x/../"],
            ),
            (
                r#"{"glob": "/api/*/b", "normalize": true}"#,
                &["/api/a/b", "/api/../b", "/api//b", "/x/../api/a//b"],
                &["/api/b", "/api/a/../b", "//api/b"],
            ),
            (
                r#"{"regex": "^/api/[^/]+$", "normalize": true}"#,
                &["/api/a", "/api/..", "/api//a", "/x/../api/a", "/api/."],
                &["/api/", "/api/a/..", "/api/a/b", "//api/a/b"],
            ),
            (
                r#"[{"exact": "/a//b"}, {"prefix": "/c", "normalize": true}]"#,
                &["/a//b", "/c/..", "//c"],
                &["/a/b", "/a/./b", "//a//b"],
            ),
            (r#"{"prefix": "/"}"#, &["/", "/x", "*", "", "?x"], &[]),
            (
                r#"{"glob": "/users/*/orders"}"#,
                &[
                    "/users/7/orders",
                    "/users//orders",
                    "/users/a%2Fb/orders",
                    "/users/\u{ff}/orders",
                ],
                &[
                    "/users/7/8/orders",
                    "/users/7/orders/",
                    "/users/7/order",
                    "x/users/7/orders",
                ],
            ),
            (
                r#"{"glob": "**/a.b/**"}"#,
                &["/a.b/", "/x/y/a.b/z/z"],
                &["/aXb/", "/a.b", "/x.a.b/"],
            ),
            (
                r#"{"glob": "/~_-(a+b)$|<>"}"#,
                &["/~_-(a+b)$%7C%3c>"],
                &["/~_-(aab)$|<>"],
            ),
            (
                r#"{"regex": "^/v[0-9]+/"}"#,
                &["/v1/\u{ff}", "/%761/"],
                &["/v/", "/x/v1/"],
            ),
        ] {
            for target in held {
                assert!(matches(pattern, target), "{pattern} {target}");
            }
            for target in others {
                assert!(!matches(pattern, target), "{pattern} {target}");
            }
        }
    }

    #[test]
    fn a_request_without_a_path_is_in_what_means_everything() {
        for pattern in [
            r#"{"prefix": "/"}"#,
            r#"{"prefix": "/", "normalize": true}"#,
            r#"{"glob": "**"}"#,
            r#"{"regex": ".*"}"#,
        ] {
            assert!(holds(pattern, &[]), "{pattern}");
        }
        for pattern in [
            r#"{"exact": "/"}"#,
            r#"{"prefix": "/a"}"#,
            r#"{"glob": "/**"}"#,
            r#"{"regex": "^/"}"#,
        ] {
            assert!(!holds(pattern, &[]), "{pattern}");
        }
    }

    #[test]
    fn a_path_too_long_to_compare_is_no_way_out_of_a_rule() {
        let long = |bytes: usize| -> &'static str { format!("/{}", "a".repeat(bytes)).leak() };
        let pattern = r#"{"regex": "^/b"}"#;
        assert!(!matches(pattern, long(MAX_MATCHED - 1)));
        assert!(matches(pattern, long(MAX_MATCHED)));
        // What costs no more for each byte of a long path is compared with it whole.
        for pattern in [
            r#"{"exact": "/b"}"#,
            r#"{"prefix": "/b"}"#,
            r#"{"glob": "/b/**"}"#,
            r#"{"glob": "/**b*"}"#,
        ] {
            assert!(!matches(pattern, long(50_000)), "{pattern}");
        }
        assert!(matches(r#"{"glob": "/a**a*"}"#, long(50_000)));
    }

    #[test]
    fn a_path_that_resolving_makes_short_was_too_long_as_sent() {
        let dots =
            |path: &str| -> &'static str { format!("{}{path}", "/.".repeat(MAX_MATCHED)).leak() };
        for (pattern, holds) in [
            (r#"{"regex": "^/b", "normalize": true}"#, true),
            (r#"{"glob": "/b*", "normalize": true}"#, false),
            (r#"{"glob": "/a*", "normalize": true}"#, true),
        ] {
            assert_eq!(matches(pattern, dots("/a")), holds, "{pattern}");
        }
    }

    #[test]
    fn a_method_is_compared_without_case() {
        let matches = Match {
            methods: vec!["POST".into()],
            ..Match::default()
        };
        let of = |method: &'static str| {
            let mut request = sent(&[(":method", method)]);
            matches.holds(&mut Facts::new(&mut request))
        };
        assert!(of("POST") && of("post") && of("Post"));
        assert!(!of("PUT") && !of("POSTS"));
    }
}
