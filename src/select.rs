//! Which rules a request meets.

use crate::facts::{Facts, Source};
use crate::path;
use crate::plan::{Match, PathForm, PathPattern};

impl Match {
    /// Whether every condition holds for this request.
    pub fn holds<S: Source>(&self, facts: &mut Facts<'_, S>) -> bool {
        self.method_holds(facts) && self.path_holds(facts)
    }

    fn method_holds<S: Source>(&self, facts: &mut Facts<'_, S>) -> bool {
        if self.methods.is_empty() {
            return true;
        }
        let sent = facts.headers().one(":method");
        sent.is_some_and(|sent| self.methods.iter().any(|method| method.as_bytes() == sent))
    }

    fn path_holds<S: Source>(&self, facts: &mut Facts<'_, S>) -> bool {
        if self.paths.is_empty() {
            return true;
        }
        // CONNECT sends no `:path` (RFC 9113 §8.5); what it asks for is then compared as an empty path.
        let path = facts.path().unwrap_or_default();
        self.paths.iter().any(|pattern| pattern.matches(path))
    }
}

impl PathPattern {
    /// Whether a path in [`path::normal`] form fits.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        if self.normalize {
            self.form.matches(&path::normalize(path))
        } else {
            self.form.matches(path)
        }
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
            // A normal path is ASCII: nothing is lost here.
            Self::Regex(regex) => regex.is_match(&String::from_utf8_lossy(path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// A request to this target; `None` sends no `:path`.
    struct Target(Option<&'static str>);

    impl Source for Target {
        fn headers(&mut self) -> Option<Vec<u8>> {
            let target = self.0?;
            let header = [":path", target];
            let numbers = [1, header[0].len(), header[1].len()];
            let numbers = numbers.map(|number| u32::try_from(number).unwrap().to_le_bytes());
            let text = header.map(|text| format!("{text}\0")).concat();
            Some([numbers.as_flattened(), text.as_bytes()].concat())
        }

        fn header(&mut self, _: &str) -> Option<Vec<u8>> {
            None
        }

        fn peer(&mut self) -> Option<Vec<u8>> {
            None
        }

        fn route(&mut self) -> Option<Vec<u8>> {
            None
        }
    }

    /// Whether a rule for this pattern holds for a request.
    fn holds(pattern: &str, mut request: Target) -> bool {
        let document = format!(
            r#"{{"rules": [{{"name": "a", "limits": "unlimited", "match": {{"path": {pattern}}}}}]}}"#
        );
        let plan = load(document.as_bytes(), &|_| None).unwrap();
        let matches = plan.rules[0].matches.as_ref().unwrap();
        matches.holds(&mut Facts::new(&mut request))
    }

    fn matches(pattern: &str, target: &'static str) -> bool {
        holds(pattern, Target(Some(target)))
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
                &["//api", "/x/../api", "/x/%2e%2E/api/y", "/./api"],
                &["/apix", "/api/..", "/api/../x", "/api/%2e%2e/x"],
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
            assert!(holds(pattern, Target(None)), "{pattern}");
        }
        for pattern in [
            r#"{"exact": "/"}"#,
            r#"{"prefix": "/a"}"#,
            r#"{"glob": "/**"}"#,
            r#"{"regex": "^/"}"#,
        ] {
            assert!(!holds(pattern, Target(None)), "{pattern}");
        }
    }
}
