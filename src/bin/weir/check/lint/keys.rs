//! Keys that clients choose, or leave out.

use weir::plan::{KeyPart, KeySource, OnMissingKey, Rule};

use super::Accepted;
use super::cover::Comparisons;
use crate::check::carrier::ConnectionManager;
use crate::check::diagnostic::Diagnostic;

pub(super) fn warnings(of: Accepted<'_>, said: &mut Vec<Diagnostic>) {
    let managers = of.plugin.manager.into_iter();
    let clients = Clients {
        removed: managers
            .flat_map(ConnectionManager::removed_headers)
            .collect(),
    };
    let those = |holds: &dyn Fn(&Rule) -> bool| {
        let rules = of.plan.rules.iter().enumerate();
        rules.filter(|(_, rule)| holds(rule)).collect::<Vec<_>>()
    };
    let holding = those(&|rule| clients.are_held_by(rule));
    let meeting = those(&|rule| clients.are_met_by(rule));
    let mut comparisons = Comparisons::default();
    for (place, rule) in of.plan.rules.iter().enumerate() {
        // What is asked of a rule alone comes first: there may be a thousand, each with as many others.
        let mut is_beside = |others: &[(usize, &Rule)], holds: &dyn Fn(&Rule) -> bool| {
            let mut others = others.iter().filter(|(other, _)| *other != place);
            others.any(|(_, other)| holds(other) && comparisons.meets_all_of(other, rule))
        };
        let mut warn = |member: &str, message: &str| said.push(of.warning(place, member, message));
        if clients.choose_all_of(rule) && !is_beside(&holding, &|_| true) {
            warn("key", CHOSEN);
        }
        if clients.may_leave(rule)
            && !is_beside(&meeting, &|other| clients.count_or_deny(other, rule))
        {
            warn("on_missing_key", LEFT_OUT);
        }
    }
}

const CHOSEN: &str = "only of what clients choose: each may have as many counters as it likes; \
                      add a rule by \"client_ip\", or have the proxy remove what it does not set itself";

const LEFT_OUT: &str = "\"skip\" with nothing behind it: who leaves the key out is not limited; \
                        set it to \"client_ip\" or \"deny\", or add a rule that counts these requests too";

/// What clients have in their hands.
struct Clients<'a> {
    /// Headers that never are theirs.
    removed: Vec<&'a str>,
}

impl Clients<'_> {
    fn choose(&self, source: &KeySource) -> bool {
        match source {
            KeySource::ClientIp | KeySource::Route | KeySource::Constant(_) => false,
            KeySource::Header(_) => self.may_omit(source),
            KeySource::Method
            | KeySource::Path
            | KeySource::Host
            | KeySource::Cookie(_)
            | KeySource::Query(_)
            | KeySource::PathSegment(_)
            | KeySource::PathTemplate(_) => true,
        }
    }

    /// Whether it is theirs to leave out, whatever they want.
    fn may_omit(&self, source: &KeySource) -> bool {
        match source {
            KeySource::Header(name) => !self
                .removed
                .iter()
                .any(|own| own.eq_ignore_ascii_case(name)),
            KeySource::Cookie(_) | KeySource::Query(_) => true,
            _ => false,
        }
    }

    /// Whether they may have as many counters of a rule as they like.
    fn choose_all_of(&self, rule: &Rule) -> bool {
        let mut parts = rule.key.iter();
        is_limited(rule) && !rule.key.is_empty() && parts.all(|part| self.choose(&part.source))
    }

    /// Whether they may send what a rule does not count.
    fn may_leave(&self, rule: &Rule) -> bool {
        is_limited(rule) && self.may_skip(rule)
    }

    fn may_skip(&self, rule: &Rule) -> bool {
        let mut parts = rule.key.iter();
        rule.on_missing_key == OnMissingKey::Skip && parts.any(|part| self.may_omit(&part.source))
    }

    /// Whether a rule counts all that it meets, by what they do not choose.
    fn are_held_by(&self, rule: &Rule) -> bool {
        is_limited(rule) && !self.choose_all_of(rule) && !self.may_skip(rule)
    }

    /// Whether a rule has something to say to requests that leave a key out, if only its own.
    fn are_met_by(&self, rule: &Rule) -> bool {
        rule.on_missing_key == OnMissingKey::Deny || (is_limited(rule) && !self.may_skip(rule))
    }

    /// Whether that is so of requests without the key of `rule`: they are counted by `other`, or denied for want of a
    /// part that both have.
    fn count_or_deny(&self, other: &Rule, rule: &Rule) -> bool {
        let is_shared = |part: &KeyPart| {
            let mut parts = rule.key.iter();
            parts.any(|own| own.descriptor_key == part.descriptor_key)
        };
        let denies = other.on_missing_key == OnMissingKey::Deny;
        (is_limited(other) && !self.may_skip(other)) || (denies && other.key.iter().any(is_shared))
    }
}

fn is_limited(rule: &Rule) -> bool {
    !rule.limits.is_empty()
}
