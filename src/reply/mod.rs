//! What the client sees: headers on every response, and the whole of a refusal.
//!
//! One [`Decision`] feeds all of it, so that status, headers, body and access log say the same.

pub mod draft_11;
pub mod headers;
pub mod template;

mod digits;
mod jitter;
mod problem;
mod x_ratelimit;

use self::draft_11::Policies;
use self::problem::Refused;
use self::template::{Template, Values};
use crate::decision::{Decision, Quota, Reason};
use crate::pairs::Pairs;
use crate::plan::{Body, Plan};
use crate::units::{Nanos, Now, Wait};

/// A whole answer in place of the upstream's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct LocalReply {
    /// Status of an HTTP response.
    pub status: u16,
    /// For the proxy's access log (response-code details): `weir_limited[<rule>.<limit>]`.
    pub details: Vec<u8>,
    /// For the proxy's access log (filter state `weir`): `<rule>.<limit>`, or `<rule>` where no limit refused.
    pub filter_state: Vec<u8>,
    /// Header fields, serialised as proxy-wasm passes them.
    pub headers: Vec<u8>,
    /// May be empty. A gRPC caller gets it as `grpc-message`.
    pub body: Vec<u8>,
    /// Status of a gRPC response; only where the caller speaks gRPC.
    pub grpc_status: Option<i32>,
}

impl LocalReply {
    /// A 503 that says nothing more: for a refusal of which nothing is known.
    pub const fn unavailable() -> Self {
        Self {
            status: 503,
            details: Vec::new(),
            filter_state: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
            grpc_status: None,
        }
    }
}

/// The answer to a refused request; `None` where `decision` admits it.
///
/// `now` is when the decision was made. A `grpc` caller reads a status and a message; a plain 429 would reach
/// it as 14, UNAVAILABLE.
#[must_use]
pub fn refusal(
    plan: &Plan,
    policies: &Policies,
    decision: &Decision,
    now: Now,
    grpc: bool,
) -> Option<LocalReply> {
    let told = jitter::told(plan, decision, now);
    let decision = told.as_ref().unwrap_or(decision);
    let refused = Refused::new(plan, decision)?;
    let (status, grpc_status) = match refused.reason {
        Reason::Limited { .. } | Reason::Contended => (plan.response.status, RESOURCE_EXHAUSTED),
        Reason::MissingKey => (403, PERMISSION_DENIED),
        Reason::Unavailable => (503, UNAVAILABLE),
    };
    let (content_type, body) = if grpc {
        (None, message(&refused))
    } else {
        body(&refused, status, now)
    };
    let mut pairs = Pairs::with_room();
    if let Some(content_type) = content_type {
        pairs.add_text("content-type", content_type);
    }
    pairs.add_text("cache-control", "no-store");
    if let Some(seconds) = retry_after(refused.reason).filter(|_| plan.response.retry_after) {
        pairs.add("retry-after", |out| digits::push(out, seconds));
    }
    headers::add_to(&mut pairs, plan, policies, decision, now);
    if plan.response.envoy_ratelimited && refused.is_limited() {
        pairs.add_text("x-envoy-ratelimited", "true");
    }
    for (name, value) in &plan.response.add_headers {
        pairs.add_text(name, value);
    }
    let (details, filter_state) = names(&refused);
    Some(LocalReply {
        status,
        details,
        filter_state,
        headers: pairs.finish(),
        body,
        grpc_status: grpc.then_some(grpc_status),
    })
}

/// Codes of gRPC.
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNAVAILABLE: i32 = 14;

/// Media type and body for an HTTP caller. Templates speak of limits, so they serve where a limit was tested.
fn body(refused: &Refused, status: u16, now: Now) -> (Option<&'static str>, Vec<u8>) {
    let values = || values(refused, now).filter(|_| refused.is_limited());
    let rendered = |template: &Template| {
        let mut out = Vec::new();
        template.render(&values()?, &mut out);
        Some(out)
    };
    let templated = match &refused.plan.response.body {
        Body::None => return (None, Vec::new()),
        Body::Problem => None,
        Body::Text(template) => rendered(template).map(|body| ("text/plain; charset=utf-8", body)),
        Body::Json(template) => rendered(template).map(|body| ("application/json", body)),
    };
    let (content_type, body) = templated.unwrap_or_else(|| {
        let mut out = Vec::new();
        refused.write_problem(status, &mut out);
        (problem::CONTENT_TYPE, out)
    });
    (Some(content_type), body)
}

fn message(refused: &Refused) -> Vec<u8> {
    let mut out = Vec::new();
    refused.write_detail(&mut out);
    out
}

/// What placeholders stand for. Where no one limit refused, the rule's first one gives its numbers.
fn values<'a>(refused: &Refused<'a>, now: Now) -> Option<Values<'a>> {
    let (index, wait) = match refused.reason {
        Reason::Limited { limit, wait } => (limit, wait),
        _ => (0, Wait::After(Nanos::SECOND)),
    };
    let rule = refused.rule;
    let limit = rule.limits.get(index)?;
    let (plan_rule, quotas) = (refused.rule_index, &refused.decision.quotas);
    let quota = quotas
        .iter()
        .find(|quota| (quota.rule, quota.limit) == (plan_rule, index));
    let reset = until(wait);
    let told = quota.and_then(|quota| quota.counted);
    let counted = told.unwrap_or_else(|| limit.numbers().into());
    Some(Values {
        rule: &rule.name,
        limit_name: &limit.name,
        limit: counted.requests,
        burst: told.map_or(limit.capacity(), |counted| counted.requests),
        remaining: quota.map_or(0, |quota| quota.remaining),
        window_seconds: counted.seconds.get().into(),
        retry_after: retry_after(refused.reason),
        reset_seconds: reset.map(Nanos::seconds_up),
        reset_epoch: reset.map(|reset| now.unix.plus(reset).seconds_up()),
    })
}

/// Response-code details and filter state.
fn names(refused: &Refused) -> (Vec<u8>, Vec<u8>) {
    let rule = &refused.rule.name;
    let limit = match refused.reason {
        Reason::Limited { limit, .. } => refused.rule.limits.get(limit),
        _ => None,
    };
    let what: &[&[u8]] = match limit {
        Some(limit) => &[rule.as_bytes(), b".", limit.name.as_bytes()],
        None => &[rule.as_bytes()],
    };
    let filter_state = what.concat();
    let reason = match refused.reason {
        Reason::Limited { .. } => "weir_limited[",
        Reason::Contended => "weir_contended[",
        Reason::MissingKey => "weir_missing_key[",
        Reason::Unavailable => "weir_unavailable[",
    };
    let details = [reason.as_bytes(), &filter_state, b"]"].concat();
    (details, filter_state)
}

/// Seconds to wait (RFC 9110 §10.2.3), rounded up, at least 1; `None` where waiting does not help.
pub(crate) fn retry_after(reason: Reason) -> Option<u64> {
    match reason {
        Reason::Limited { wait, .. } => until(wait).map(Nanos::seconds_up),
        Reason::Contended | Reason::Unavailable => Some(1),
        Reason::MissingKey => None,
    }
}

/// Time until a limit admits more: until it is whole, or, where it refused, until it would admit the request.
fn reset(quota: &Quota) -> Option<Nanos> {
    quota.violated.map_or(Some(quota.reset), until)
}

/// The span of a wait: not zero, since a refusal is never for no time.
fn until(wait: Wait) -> Option<Nanos> {
    match wait {
        Wait::After(span) => Some(span.max(Nanos(1))),
        Wait::Never => None,
    }
}

#[cfg(test)]
pub(crate) mod tests;
