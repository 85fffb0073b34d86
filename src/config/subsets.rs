//! Rules whose descriptors a limiter does not tell apart that matches a limit by some of the entries.

use super::json::quote;
use crate::plan::{KeySource, Rule};

/// The rules so far.
#[derive(Default)]
pub(super) struct Subsets(Vec<Made>);

/// What the descriptors of a rule are made of.
struct Made {
    /// Its place among the rules.
    rule: usize,
    /// Each entry's key, and its value where that is fixed.
    entries: Vec<(Box<str>, Option<Box<str>>)>,
    /// The values of the entry `limit`, of which a descriptor has one; none where the rule has one limit.
    limits: Vec<Box<str>>,
}

impl Subsets {
    /// Why this rule is an error: the entries of it and of one before are among those of the other.
    pub fn refusal(&mut self, rule: &Rule, index: usize) -> Option<String> {
        rule.global.as_ref()?;
        let made = Made::of(rule, index);
        let mut others = self.0.iter();
        let first = others.find(|other| other.counts(&made) || made.counts(other));
        let first = first.map(|other| other.rule);
        self.0.push(made);
        Some(format!(
            "limitador would count requests of it or of rules[{}] for both, since one has all names of the other; \
             add to each a part such as {{\"constant\": {}, \"as\": \"rule\"}}",
            first?,
            quote(&rule.name)
        ))
    }
}

impl Made {
    fn of(rule: &Rule, index: usize) -> Self {
        let parts = rule.key.iter().map(|part| {
            let fixed = match &part.source {
                KeySource::Constant(value) => Some(value.clone()),
                _ => None,
            };
            (part.descriptor_key.clone(), fixed)
        });
        let mut entries: Vec<_> = parts.collect();
        if entries.is_empty() {
            entries.push(("generic_key".into(), Some(rule.name.clone())));
        }
        let names = rule.limits.iter().map(|limit| limit.name.clone());
        Self {
            rule: index,
            entries,
            limits: names.filter(|_| rule.limits.len() > 1).collect(),
        }
    }

    /// Whether a limit of this rule counts requests of the other.
    fn counts(&self, other: &Self) -> bool {
        let mut entries = self.entries.iter();
        let has_entries = entries.all(|(key, value)| other.may_have(key, value.as_deref()));
        let mut limits = self.limits.iter();
        has_entries
            && (self.limits.is_empty() || limits.any(|name| other.may_have("limit", Some(name))))
    }

    /// Whether a descriptor may have this entry; without a value any of that key.
    fn may_have(&self, key: &str, value: Option<&str>) -> bool {
        let is_value = |own: &str| value.is_none_or(|value| value == own);
        let mut entries = self.entries.iter();
        entries.any(|(own, fixed)| &**own == key && fixed.as_deref().is_none_or(is_value))
            || key == "limit" && self.limits.iter().any(|name| is_value(name))
    }
}
