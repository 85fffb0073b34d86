//! Keys of which a client chooses a part, or leaves one out, where no other rule bounds what it may send.
//!
//! [`Rule::is_chosen`] says which parts these are. A rule bounds a client if it has limits, a client chooses no part of
//! its key, and no request that it matches skips it.

use weir::plan::{KeyPart, KeySource, OnMissingKey, Rule};

use super::Accepted;
use super::cover::{Comparisons, Samples};
use crate::check::carrier::ConnectionManager;
use crate::check::diagnostic::Diagnostic;
use crate::check::tree::Here;

pub(super) fn warnings(of: Accepted<'_>, said: &mut Vec<Diagnostic>) {
    let clients = Clients::of(of);
    let rules = || of.plan.rules.iter().enumerate();
    let bounds: Vec<_> = rules()
        .filter(|(_, rule)| clients.are_bound_by(rule))
        .collect();
    let mut comparisons = Comparisons::default();
    for (place, rule) in rules().filter(|(_, rule)| is_limited(rule)) {
        let chosen = rule.key.iter().position(|part| clients.choose(rule, part));
        let left_out = clients.left_out(rule).next();
        if (chosen.is_none() || is_closed(rule)) && left_out.is_none() {
            continue;
        }
        let samples = Samples::of(rule, of.plugin.resolves_paths);
        let mut is_met = |other: &Rule| comparisons.meets_all_of(other, &samples);
        if bounds
            .iter()
            .any(|(other, bound)| *other != place && is_met(bound))
        {
            continue;
        }
        if let Some(part) = chosen.filter(|_| !is_closed(rule)) {
            said.push(chosen_part(of, place, part, &rule.key));
        }
        let mut is_counted = |part: &KeyPart| {
            let mut others = rules().filter(|(other, _)| *other != place);
            others.any(|(_, other)| counts_without(other, &part.source) && is_met(other))
        };
        if clients.left_out(rule).any(|part| !is_counted(part)) {
            said.push(of.warning(place, "on_missing_key", LEFT_OUT));
        }
    }
}

const CHOSEN: &str = "a client chooses this value, and each value has a counter of its own: one client may send any number \
                      of requests; add a rule with \"key\": [\"client_ip\"] for the same requests";

const REMOVABLE: &str = ", or have the proxy remove the header from what clients send";

const LEFT_OUT: &str = "a client that leaves the key out is not limited: \"skip\" skips this rule, and no other limits the \
                        same requests; set it to \"client_ip\" or \"deny\", or add a rule with \"key\": [\"client_ip\"]";

/// A warning about the part at a place in the key of the rule at `place`.
fn chosen_part(of: Accepted<'_>, place: usize, part: usize, key: &[KeyPart]) -> Diagnostic {
    let rule = of.rule(place);
    let mut items = rule.member("key").into_iter().flat_map(Here::items);
    let at = items.nth(part).unwrap_or(rule).at();
    let is_header = key
        .get(part)
        .is_some_and(|part| matches!(part.source, KeySource::Header(_)));
    let message = format!("{CHOSEN}{}", if is_header { REMOVABLE } else { "" });
    Diagnostic::warning(at, &format!("rules[{place}].key[{part}]"), &message)
}

/// What clients decide, as far as a file tells.
struct Clients<'a> {
    /// Headers that the proxy removes from what clients send.
    removed: Vec<&'a str>,
    is_on_kong: bool,
}

impl<'a> Clients<'a> {
    fn of(of: Accepted<'a>) -> Self {
        let managers = of.plugin.manager.into_iter();
        Self {
            removed: managers
                .flat_map(ConnectionManager::removed_headers)
                .collect(),
            is_on_kong: of.plugin.is_on_kong,
        }
    }

    fn choose(&self, rule: &Rule, part: &KeyPart) -> bool {
        rule.is_chosen(part) && !self.is_removed(&part.source)
    }

    fn is_removed(&self, source: &KeySource) -> bool {
        let KeySource::Header(name) = source else {
            return false;
        };
        self.removed
            .iter()
            .any(|removed| removed.eq_ignore_ascii_case(name))
    }

    /// The parts of a key without which the rule is skipped, and that a client leaves out if it likes.
    fn left_out<'r>(&self, rule: &'r Rule) -> impl Iterator<Item = &'r KeyPart> {
        let is_left_out =
            |part: &&KeyPart| part.source.is_optional() && !self.is_removed(&part.source);
        let skips = rule.on_missing_key == OnMissingKey::Skip;
        rule.key
            .iter()
            .filter(move |part| skips && is_left_out(part))
    }

    /// Whether a rule bounds what one client may send of all that the rule matches.
    fn are_bound_by(&self, rule: &Rule) -> bool {
        let is_chosen = rule.key.iter().any(|part| self.choose(rule, part));
        // Kong has no routes for filters.
        let is_absent = |part: &KeyPart| self.is_on_kong && matches!(part.source, KeySource::Route);
        let is_skipped = self.left_out(rule).next().is_some()
            || (rule.on_missing_key == OnMissingKey::Skip && rule.key.iter().any(is_absent));
        is_limited(rule) && (!is_chosen || is_closed(rule)) && !is_skipped
    }
}

/// Whether a rule denies requests without a part of its key, or counts them by what clients do not choose.
fn counts_without(rule: &Rule, missing: &KeySource) -> bool {
    let mut parts = rule.key.iter();
    parts.any(|part| part.source.is_same_option(missing))
        && match rule.on_missing_key {
            OnMissingKey::Skip => false,
            OnMissingKey::Deny => true,
            OnMissingKey::ClientIp | OnMissingKey::Shared => is_limited(rule),
        }
}

fn is_limited(rule: &Rule) -> bool {
    !rule.limits.is_empty()
}

/// Whether a rule refuses all that it counts.
fn is_closed(rule: &Rule) -> bool {
    rule.limits.iter().any(|limit| limit.requests == 0)
}
