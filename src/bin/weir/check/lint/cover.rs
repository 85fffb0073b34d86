//! Which rules match all that another does.

use weir::facts::{Facts, Source, Unreadable};
use weir::plan::{Match, PathForm, PathPattern, Rule};

/// Comparisons of requests with patterns that a configuration's rules are worth: a thousand rules of two paths each need
/// fewer than this, and half as many of a hundred each would need billions.
const MAX_COMPARISONS: usize = 2_000_000;

/// What is left of those comparisons.
pub struct Comparisons(usize);

impl Default for Comparisons {
    fn default() -> Self {
        Self(MAX_COMPARISONS)
    }
}

impl Comparisons {
    /// Whether `other` matches all that a rule does; in doubt, and once too much was to be compared, it does.
    pub fn meets_all_of(&mut self, other: &Rule, rule: &Samples<'_>) -> bool {
        let Some(other) = &other.matches else {
            return true;
        };
        if !self.spend(rule.methods.len(), other.methods.len()) {
            return true;
        }
        let is_met = |path: &Vec<u8>| !self.spend(1, other.paths.len()) || meets(other, path);
        // A list of paths is no pattern.
        rule.are_within_methods(other)
            && !(rule.has_others && other.lists_paths())
            && rule.paths.iter().all(is_met)
    }

    /// Whether so many may still be compared with so many.
    fn spend(&mut self, these: usize, those: usize) -> bool {
        let left = self.0.checked_sub(these.saturating_mul(those));
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// Whether a request for this path, of a method that `other` takes, meets it.
fn meets(other: &Match, path: &[u8]) -> bool {
    let method = other.methods.first().map_or("GET", |method| method);
    let mut request = Request { method, path };
    other.holds(&mut Facts::new(&mut request))
}

/// Requests that a rule matches: some for every method and pattern that it lists.
pub struct Samples<'r> {
    /// Its methods; none: any.
    methods: &'r [Box<str>],
    paths: Vec<Vec<u8>>,
    /// Whether it has patterns from which no path is made up.
    has_others: bool,
}

impl<'r> Samples<'r> {
    /// Those of a rule of a proxy that `resolves_paths` before any filter, or does not.
    pub fn of(rule: &'r Rule, resolves_paths: bool) -> Self {
        let matches = rule.matches.as_ref();
        let patterns = matches.map_or(&[][..], |matches| &matches.paths);
        let mut samples = Self {
            methods: matches.map_or(&[], |matches| &matches.methods),
            paths: Vec::new(),
            has_others: false,
        };
        if patterns.is_empty() {
            samples.add(b"", true);
        }
        for PathPattern { form, normalize } in patterns {
            let begins: &[&[u8]] = match normalize {
                true if !resolves_paths => &[b"", b"/"],
                _ => &[b""],
            };
            for begin in begins {
                match form {
                    PathForm::Exact(path) => samples.add(&[begin, &**path].concat(), false),
                    PathForm::Prefix(path) => {
                        let path = path.strip_suffix(b"/").unwrap_or(path);
                        samples.add(&[begin, path].concat(), true);
                    }
                    PathForm::Glob(_) | PathForm::Regex(_) => samples.has_others = true,
                }
            }
        }
        samples
    }

    /// Adds a path, and perhaps what is below it, by names that hardly a pattern has in it.
    fn add(&mut self, path: &[u8], and_below: bool) {
        match path {
            b"" => self.paths.push(b"/".to_vec()),
            path => self.paths.push(path.to_vec()),
        }
        if and_below {
            self.paths
                .extend([[path, b"/-"].concat(), [path, b"/-/-"].concat()]);
        }
    }

    fn are_within_methods(&self, other: &Match) -> bool {
        let are_listed = || {
            self.methods
                .iter()
                .all(|method| other.methods.contains(method))
        };
        other.methods.is_empty() || (!self.methods.is_empty() && are_listed())
    }
}

/// A request of this method for this path.
struct Request<'a> {
    method: &'a str,
    path: &'a [u8],
}

impl Source for Request<'_> {
    fn headers(&mut self) -> Result<Vec<u8>, Unreadable> {
        let fields = [
            (b":method".as_slice(), self.method.as_bytes()),
            (b":path", self.path),
        ];
        let number = |length: usize| u32::try_from(length).unwrap_or(0).to_le_bytes();
        let mut bytes = number(fields.len()).to_vec();
        for (name, value) in fields {
            bytes.extend([number(name.len()), number(value.len())].as_flattened());
        }
        for text in fields.iter().flat_map(|(name, value)| [name, value]) {
            bytes.extend_from_slice(text);
            bytes.push(0);
        }
        Ok(bytes)
    }

    fn header(&mut self, _: &str) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(None)
    }

    fn peer(&mut self) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(None)
    }

    fn route(&mut self) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(None)
    }
}
