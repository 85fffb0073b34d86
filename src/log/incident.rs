//! What goes wrong without ending a request, in the operator's words.

use crate::facts::Unreadable;
use crate::global::parking::Question;
use crate::global::wire::{self, Counter};
use crate::local::store::Fault;
use crate::plan::Plan;
use crate::units::Nanos;

/// What went wrong without ending a request; the requests it concerns are counted by their rules.
#[derive(Clone, Copy, Debug)]
pub enum Incident<'a> {
    /// A fact about a request cannot be read.
    Facts(Unreadable),
    /// The shared data cannot be used.
    Store(Fault),
    /// A set of counters failed its checksum and was begun anew.
    Corrupt,
    /// A clock cannot be read.
    Clock,
    /// The host did not send a refusal.
    Reply,
    /// A rate limit service, by its cluster, cannot be asked, or does not answer as it should.
    Service(wire::Fault, &'a str),
    /// The proxy has no cluster of this name.
    NoCluster(&'a str),
    /// A rate limit service has no limit for what a rule asks.
    Unmatched(&'a Plan, &'a Question),
    /// A rate limit service has another limit than the configuration says.
    Disagrees(&'a Plan, &'a Question, Counter),
    /// There is a rate limit service, and no rule asks it.
    NoGlobalRule,
    /// Requests cannot wait on this host.
    NoWaiting,
    /// The rate limit service has no address that this host can call.
    Upstream,
    /// A metric cannot be defined.
    Metric,
}

impl Incident<'_> {
    /// What tells it from others: a number, and the rule of those that are about one.
    pub(super) const fn kind(self) -> (u32, usize) {
        let rule = match self {
            Self::Disagrees(_, question, _) | Self::Unmatched(_, question) => question.rule,
            _ => 0,
        };
        (self.number(), rule)
    }

    /// Whether the configuration causes it, so that it lasts until there is another one.
    pub(super) const fn is_of_configuration(self) -> bool {
        matches!(
            self,
            Self::Disagrees(..)
                | Self::Unmatched(..)
                | Self::NoWaiting
                | Self::Upstream
                | Self::NoCluster(_)
                | Self::NoGlobalRule
        )
    }

    const fn number(self) -> u32 {
        match self {
            Self::Store(Fault::Host(_)) => 0,
            Self::Store(Fault::Foreign) => 1,
            Self::Corrupt => 2,
            Self::Clock => 3,
            Self::Reply => 4,
            Self::Metric => 5,
            Self::Facts(_) => 6,
            Self::Disagrees(..) => 7,
            Self::Unmatched(..) => 8,
            Self::NoWaiting => 9,
            Self::Upstream => 10,
            Self::NoCluster(_) => 11,
            Self::NoGlobalRule => 12,
            Self::Service(wire::Fault::Timeout, _) => 13,
            Self::Service(wire::Fault::Unreachable, _) => 14,
            Self::Service(wire::Fault::Status(_), _) => 15,
            Self::Service(wire::Fault::Body, _) => 16,
            Self::Service(wire::Fault::Count, _) => 17,
            Self::Service(wire::Fault::Item, _) => 18,
        }
    }

    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Store(Fault::Host(_)) => "the shared data cannot be used",
            Self::Store(Fault::Foreign) => "the shared data holds what is not ours",
            Self::Corrupt => "a set of counters was broken and begun anew",
            Self::Clock => "a clock cannot be read",
            Self::Reply => "a refusal could not be sent",
            Self::Metric => "a metric cannot be defined",
            Self::Facts(_) => "a request's headers, address or route cannot be read",
            Self::Service(..) | Self::NoCluster(_) => "the limiter cannot be asked",
            Self::Unmatched(..) => {
                "the limiter has no limit for what a rule asks, so all pass uncharged"
            }
            Self::Disagrees(..) => {
                "the limiter has another limit than the configuration says, and its own holds"
            }
            Self::NoGlobalRule => {
                "there is a \"limiter\", and no rule has \"global\": each proxy counts by itself"
            }
            Self::NoWaiting => {
                "no request can wait for the limiter on this host, so on_error decides"
            }
            Self::Upstream => {
                "\"limiter.cluster\" is to be host:port on Kong, so the limiter is not asked and on_error decides"
            }
        }
    }

    /// What was found, and where.
    pub(super) fn details(self) -> Option<String> {
        Some(match self {
            Self::Store(Fault::Host(status)) | Self::Facts(Unreadable(status)) => {
                format!("status {status}")
            }
            Self::Service(wire::Fault::Status(status), cluster) => {
                format!("status {status} from cluster \"{cluster}\", so on_error decides")
            }
            Self::Service(fault, cluster) => {
                let kind = fault.kind();
                format!("{kind}, cluster \"{cluster}\", so on_error decides")
            }
            Self::NoCluster(cluster) => {
                format!("the proxy has no cluster \"{cluster}\": mend \"limiter.cluster\"")
            }
            Self::Unmatched(plan, question) => {
                let keys = question.descriptor.entries().map(|(key, _)| key);
                let keys = keys.collect::<Vec<_>>().join(", ");
                let rule = plan.rules.get(question.rule)?;
                let domain = &plan.domain;
                format!(
                    "rule \"{}\": domain \"{domain}\", descriptor {keys}",
                    rule.name
                )
            }
            Self::Disagrees(plan, question, counter) => {
                let rule = plan.rules.get(question.rule)?;
                let limit = rule.limits.get(question.limit)?;
                let there = shown(counter.limit, counter.per.unwrap_or(limit.per));
                let here = shown(limit.requests, limit.per);
                format!("rule \"{}\": {there}, not {here}", rule.name)
            }
            _ => return None,
        })
    }
}

fn shown(requests: u32, per: Nanos) -> String {
    format!("{requests} per {} s", per.seconds_up())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::tests::plan;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const COUNTER: Counter = Counter {
        limit: 20,
        per: Some(Nanos(60 * Nanos::SECOND.0)),
        remaining: None,
        reset: None,
    };

    #[test]
    fn a_line_about_the_limiter_says_which_and_of_what() {
        let (plan, mut question) = (plan(), Question::default());
        question.descriptor.push("x-tenant", b"acme");
        let said = |incident: Incident<'_>| format!("({})", incident.details().unwrap());
        for (incident, details) in [
            (
                Incident::Service(wire::Fault::Status(401), "limits"),
                r#"(status 401 from cluster "limits", so on_error decides)"#,
            ),
            (
                Incident::NoCluster("dead"),
                r#"(the proxy has no cluster "dead": mend "limiter.cluster")"#,
            ),
            (
                Incident::Unmatched(&plan, &question),
                r#"(rule "per-client": domain "default", descriptor x-tenant)"#,
            ),
            (
                Incident::Disagrees(&plan, &question, COUNTER),
                r#"(rule "per-client": 20 per 60 s, not 20 per 1 s)"#,
            ),
        ] {
            assert_eq!(said(incident), details);
        }
    }
}
