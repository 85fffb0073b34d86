//! Which rules match all that another does.

use weir::plan::{Match, PathForm, Rule};

/// Comparisons of methods and paths that a configuration's rules are worth: a thousand rules of two paths each need
/// fewer, and half as many of a hundred each would need billions.
const MAX_COMPARISONS: usize = 5_000_000;

/// What is left of those comparisons.
pub struct Comparisons(usize);

impl Default for Comparisons {
    fn default() -> Self {
        Self(MAX_COMPARISONS)
    }
}

impl Comparisons {
    /// Whether `other` matches all that `rule` does; in doubt, and once too much was to be compared, it does.
    pub fn meets_all_of(&mut self, other: &Rule, rule: &Rule) -> bool {
        let (Some(other), any) = (&other.matches, Match::default()) else {
            return true;
        };
        let rule = rule.matches.as_ref().unwrap_or(&any);
        if !self.spend(other.methods.len(), rule.methods.len()) {
            return true;
        }
        takes_all_methods(other, rule)
            && (!self.spend(other.paths.len(), rule.paths.len()) || takes_all_paths(other, rule))
    }

    /// Whether so many may still be compared with so many.
    fn spend(&mut self, these: usize, those: usize) -> bool {
        let left = self.0.checked_sub(these.saturating_mul(those.max(1)));
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

fn takes_all_methods(other: &Match, rule: &Match) -> bool {
    let are_within =
        |methods: &[Box<str>]| methods.iter().all(|method| other.methods.contains(method));
    other.methods.is_empty() || (!rule.methods.is_empty() && are_within(&rule.methods))
}

fn takes_all_paths(other: &Match, rule: &Match) -> bool {
    let is_within = |form: &PathForm| {
        let mut patterns = other.paths.iter();
        patterns.any(|pattern| takes_all_of(&pattern.form, form))
    };
    match rule.paths.as_slice() {
        _ if other.paths.is_empty() => true,
        [] => is_within(&PathForm::Prefix(b"/".as_slice().into())),
        paths => paths.iter().all(|path| is_within(&path.form)),
    }
}

/// Whether a pattern takes all paths that another does; of regular expressions that cannot be told.
fn takes_all_of(pattern: &PathForm, other: &PathForm) -> bool {
    match (pattern, other) {
        (PathForm::Regex(_), _) | (_, PathForm::Regex(_)) => true,
        (PathForm::Exact(pattern), PathForm::Exact(other)) => pattern == other,
        (PathForm::Exact(_), PathForm::Prefix(_)) => false,
        (PathForm::Prefix(pattern), PathForm::Exact(other) | PathForm::Prefix(other)) => {
            let rest = other.strip_prefix(&**pattern);
            **pattern == *b"/" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        }
    }
}
