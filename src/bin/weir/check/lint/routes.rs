//! Keys with the proxy's route, which Kong does not give to filters.

use weir::plan::KeySource;

use super::Accepted;
use crate::check::diagnostic::Diagnostic;
use crate::check::tree::Here;

pub(super) fn warnings(of: Accepted<'_>, said: &mut Vec<Diagnostic>) {
    if !of.plugin.is_on_kong {
        return;
    }
    for (place, rule) in of.plan.rules.iter().enumerate() {
        let key = of.rule(place).member("key");
        let items = key.into_iter().flat_map(Here::items);
        for (part, (written, item)) in rule.key.iter().zip(items).enumerate() {
            if matches!(written.source, KeySource::Route) {
                let path = format!("rules[{place}].key[{part}]");
                said.push(Diagnostic::warning(item.at(), &path, ROUTELESS));
            }
        }
    }
}

const ROUTELESS: &str = "Kong has no routes for filters, so \"route\" is always missing; \
                         put a filter chain of its own on each route";
