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
        facts
            .path()
            .is_some_and(|path| self.paths.iter().any(|pattern| pattern.matches(path)))
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
            Self::Prefix(prefix) => match path.strip_prefix(&**prefix) {
                Some(rest) => rest.is_empty() || rest.starts_with(b"/") || prefix.ends_with(b"/"),
                None => false,
            },
            // A byte that is not UTF-8 becomes U+FFFD: adding one must not take a request out of its rule.
            Self::Regex(regex) => regex.is_match(&String::from_utf8_lossy(path)),
        }
    }
}
