//! Why a request was refused, for people and for programs: RFC 9457 problem details and the plain sentence in
//! them.
//!
//! Rule and limit names hold nothing that JSON would escape (see [`crate::plan::Rule`]).

use super::{digits, retry_after};
use crate::decision::{Decision, Reason};
use crate::plan::{Plan, Rule};
use crate::units::Wait;

/// Media type of a problem document.
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// A refusal beside what it refers to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused<'a> {
    pub(super) plan: &'a Plan,
    pub(super) decision: &'a Decision,
    pub(super) rule_index: usize,
    pub(super) rule: &'a Rule,
    pub(super) reason: Reason,
}

impl<'a> Refused<'a> {
    /// `None` where `decision` refuses nothing.
    pub(super) fn new(plan: &'a Plan, decision: &'a Decision) -> Option<Self> {
        let refusal = decision.refusal?;
        Some(Self {
            plan,
            decision,
            rule_index: refusal.rule,
            rule: plan.rules.get(refusal.rule)?,
            reason: refusal.reason,
        })
    }

    /// Whether a limit was tested and did not admit the request, which is answered with the status of the plan.
    pub(super) const fn is_limited(&self) -> bool {
        matches!(self.reason, Reason::Limited { .. } | Reason::Contended)
    }

    /// Appends a problem document.
    pub(super) fn write_problem(&self, status: u16, out: &mut Vec<u8>) {
        let (kind, title) = kind(self.reason);
        // All of it, unless names are long or many policies are violated.
        out.reserve(384);
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"title\":\"");
        out.extend_from_slice(title.as_bytes());
        out.extend_from_slice(b"\",\"status\":");
        digits::push(out, status);
        out.extend_from_slice(b",\"detail\":\"");
        self.write_detail(out);
        out.push(b'"');
        if self.reason != Reason::MissingKey {
            self.write_violated(out);
        }
        out.push(b'}');
    }

    /// Appends one sentence: which limit, and when to come back.
    pub(super) fn write_detail(&self, out: &mut Vec<u8>) {
        let (before, after) = match self.reason {
            Reason::Limited { limit, wait } => {
                let limit = self.rule.limits.get(limit).map(|limit| &*limit.name);
                out.extend_from_slice(b"Limit ");
                out.extend_from_slice(limit.unwrap_or_default().as_bytes());
                match wait {
                    Wait::After(_) => (" of rule ", " is used up"),
                    Wait::Never => (" of rule ", " never admits this request"),
                }
            }
            Reason::Contended => ("The counters of rule ", " are busy"),
            Reason::MissingKey => ("The key of rule ", " is missing, empty or repeated"),
            Reason::Unavailable => ("Rule ", " cannot be judged now"),
        };
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(self.rule.name.as_bytes());
        out.extend_from_slice(after.as_bytes());
        if let Some(seconds) = retry_after(self.reason) {
            out.extend_from_slice(b"; retry in ");
            digits::push(out, seconds);
            out.extend_from_slice(b" s");
        }
        out.push(b'.');
    }

    /// The extension member of draft 11 §5: every policy whose quota was exceeded.
    fn write_violated(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"violated-policies\":[");
        let quotas = self.decision.quotas.iter();
        let violated = quotas.filter(|quota| quota.violated.is_some());
        let policies = violated.filter_map(|quota| {
            let limit = self.plan.rules.get(quota.rule)?.limits.get(quota.limit)?;
            Some(limit.policy.as_bytes())
        });
        for (index, policy) in policies.enumerate() {
            let opening: &[u8] = if index > 0 { b",\"" } else { b"\"" };
            out.extend_from_slice(opening);
            out.extend_from_slice(policy);
            out.push(b'"');
        }
        out.push(b']');
    }
}

/// Type and title as draft 11 registers them (§10.2); `about:blank` says that the status says it all, and its
/// title is that status' (RFC 9457 §4.2.1).
const fn kind(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::Limited { .. } => (
            "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "Quota Exceeded",
        ),
        // No quota was exceeded: the limiter could not tell.
        Reason::Contended | Reason::Unavailable => (
            "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
            "Temporary Reduced Capacity",
        ),
        Reason::MissingKey => ("about:blank", "Forbidden"),
    }
}
