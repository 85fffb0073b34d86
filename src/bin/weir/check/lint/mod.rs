//! Lints: what the module accepts and an operator seldom means. One concept a file.

mod addresses;
mod chain;
mod cost;
mod cover;
mod keys;
mod limiter;
mod live;
mod patterns;
mod routes;
mod variables;
mod windows;

use weir::plan::Plan;

use super::carrier::Plugin;
use super::diagnostic::Diagnostic;
use super::tree::Here;

/// A configuration that the module accepts.
#[derive(Clone, Copy)]
struct Accepted<'a> {
    plan: &'a Plan,
    /// Where it stands.
    here: Here<'a>,
    /// What carries it.
    plugin: &'a Plugin<'a>,
}

/// Adds the warnings about the configuration of a plugin. `here` is where it stands.
pub fn warnings(plan: &Plan, here: Here<'_>, plugin: &Plugin<'_>, said: &mut Vec<Diagnostic>) {
    let of = Accepted { plan, here, plugin };
    keys::warnings(of, said);
    routes::warnings(of, said);
    limiter::warnings(of, said);
    windows::warnings(of, said);
    patterns::warnings(here, said);
    cost::warnings(of, said);
    variables::warnings(here, &plugin.environment, said);
    addresses::warnings(of, said);
    chain::warnings(of, said);
}

impl<'a> Accepted<'a> {
    /// The rule at a place, as it is written.
    fn rule(self, place: usize) -> Here<'a> {
        let rules = self.here.member("rules");
        let rule = rules.and_then(|rules| rules.items().nth(place));
        rule.unwrap_or(self.here)
    }

    /// A warning about a member of the rule at a place.
    fn warning(self, place: usize, member: &str, message: &str) -> Diagnostic {
        let rule = self.rule(place);
        let at = rule.member(member).unwrap_or(rule).at();
        Diagnostic::warning(at, &format!("rules[{place}].{member}"), message)
    }
}
