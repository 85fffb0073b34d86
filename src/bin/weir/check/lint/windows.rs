//! Sliding windows of so few requests that a steady overload is admitted much less.

use weir::local::limit::Algorithm;

use super::Accepted;
use crate::check::diagnostic::Diagnostic;
use crate::check::tree::Here;

/// Adds which limits admit fewer than [`FEW`] requests in a sliding window.
pub(super) fn warnings(of: Accepted<'_>, said: &mut Vec<Diagnostic>) {
    for (place, rule) in of.plan.rules.iter().enumerate() {
        let limits = of.rule(place).member("limits");
        let limits = limits.into_iter().flat_map(Here::items);
        for (at, (limit, written)) in rule.limits.iter().zip(limits).enumerate() {
            let sliding = matches!(&limit.algorithm, Algorithm::Window(window) if window.sliding);
            if sliding && limit.requests < FEW {
                let path = format!("rules[{place}].limits[{at}].requests");
                let written = written.member("requests").unwrap_or(written);
                let message = format!(
                    "a sliding window of {} admits {} % of that under a steady overload; \
                     take a \"token_bucket\", or {FEW} and more over a longer \"per\"",
                    limit.requests,
                    admitted_percent(limit.requests)
                );
                said.push(Diagnostic::warning(written.at(), &path, &message));
            }
        }
    }
}

/// From here on at least 90 % are admitted.
const FEW: u32 = 10;

/// One request fewer in each window; a window of 1 is empty after each that admitted one.
const fn admitted_percent(requests: u32) -> u32 {
    match requests {
        0 | 1 => 50,
        more => (more - 1) * 100 / more,
    }
}
