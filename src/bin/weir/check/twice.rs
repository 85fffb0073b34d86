//! Filters of one chain that charge each request to the same counters.

use std::collections::HashSet;

use weir::plan::{Plan, Rule};

use super::carrier::Plugin;
use super::diagnostic::Diagnostic;

/// Adds which plugins charge once more what one before them in their chain has charged.
pub fn warnings(judged: &[(&Plugin<'_>, Option<Plan>)], said: &mut Vec<Diagnostic>) {
    let mut charged = HashSet::new();
    for (plugin, plan) in judged {
        let (Some(chain), Some(plan)) = (plugin.chain, plan) else {
            continue;
        };
        let rules = || plan.rules.iter().filter(|_| plan.enabled);
        let of_chain = |counter| (chain, plugin.vm_id, plan.domain.clone(), counter);
        let is_charged = |rule: &&Rule| {
            let mut counters = counters(rule).map(of_chain);
            counters.any(|counter| charged.contains(&counter))
        };
        if let Some(Rule { name, .. }) = rules().find(is_charged) {
            let message = format!(
                "\"{name}\" is also in a filter before this one, which has its counters: each request is charged twice; \
                 set another domain, or remove one of the two"
            );
            said.push(Diagnostic::warning(plugin.at, "", &message));
        }
        charged.extend(rules().flat_map(counters).map(of_chain));
    }
}

/// What tells the counters of a rule's limits from others of its domain. What it matches and counts by is taken as it
/// is shown, since no two expressions are equal.
fn counters(rule: &Rule) -> impl Iterator<Item = String> {
    let limits = rule.limits.iter();
    limits.map(|limit| {
        let tag = limit.tag();
        format!("{} {:?} {:?} {tag:?}", rule.name, rule.matches, rule.key)
    })
}
