//! `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-11.
//!
//! Both are lists of RFC 9651, one member for each limit of each rule that applied. No integer here passes 11
//! digits, of the 15 that its §3.3.1 allows.

use super::{digits, reset};
use crate::decision::Quota;
use crate::local::calendar::Span;
use crate::local::limit::{Algorithm, Limit};
use crate::local::window::Window;
use crate::plan::Plan;
use crate::units::Nanos;

/// Name of the field that says what each limit is (§3).
pub(super) const POLICY: &str = "ratelimit-policy";
/// Name of the field that says what is left of each limit (§4).
pub(super) const LIMITS: &str = "ratelimit";

/// What the headers say of each limit whatever the request: made once per plan.
#[derive(Debug)]
pub struct Policies {
    /// By rule and limit, as indexed by [`Quota`].
    rules: Vec<Vec<Policy>>,
}

/// The unchanging half of one limit's members.
#[derive(Debug)]
struct Policy {
    /// Its name, as a String of RFC 9651.
    name: Box<[u8]>,
    /// Its whole member of `RateLimit-Policy`.
    item: Box<[u8]>,
}

impl Policies {
    /// Prepares the policies of a plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let of = |limits: &[Limit]| limits.iter().map(Policy::new).collect();
        let rules = plan.rules.iter().map(|rule| of(&rule.limits)).collect();
        Self { rules }
    }

    /// Appends the value of [`POLICY`]; allocates at most once.
    pub(super) fn write_policy(&self, quotas: &[Quota], out: &mut Vec<u8>) {
        // ";q=" and ";w=" with 10 digits each, where the limiter has other numbers.
        const NUMBERS: usize = 2 * (3 + 10);
        let policies = || {
            quotas
                .iter()
                .filter_map(|quota| Some((self.of(quota)?, quota)))
        };
        let room = |(policy, quota): (&Policy, &Quota)| match quota.counted {
            None => policy.item.len() + 2,
            Some(_) => policy.name.len() + NUMBERS + 2,
        };
        out.reserve(policies().map(room).sum());
        for (index, (policy, quota)) in policies().enumerate() {
            separate(index, out);
            let Some(counted) = quota.counted else {
                out.extend_from_slice(&policy.item);
                continue;
            };
            out.extend_from_slice(&policy.name);
            out.extend_from_slice(b";q=");
            digits::push(out, counted.requests);
            out.extend_from_slice(b";w=");
            digits::push(out, counted.seconds.get());
        }
    }

    /// Appends the value of [`LIMITS`]; allocates at most once.
    ///
    /// A violated limit's `t` is its wait, so that Retry-After, the longest of them, is not before the end of
    /// their effective windows (§6). One that never admits has no effective window.
    pub(super) fn write_limits(&self, quotas: &[Quota], out: &mut Vec<u8>) {
        // ", ", ";r=" and 10 digits, ";t=" and 11.
        const REST: usize = 2 + 3 + 10 + 3 + 11;
        let states = || {
            let of = |quota| Some((self.of(quota)?, quota));
            quotas.iter().filter_map(of)
        };
        out.reserve(states().map(|(policy, _)| policy.name.len() + REST).sum());
        for (index, (policy, quota)) in states().enumerate() {
            separate(index, out);
            out.extend_from_slice(&policy.name);
            out.extend_from_slice(b";r=");
            digits::push(out, quota.remaining);
            if let Some(reset) = reset(quota) {
                out.extend_from_slice(b";t=");
                digits::push(out, reset.seconds_up());
            }
        }
    }

    fn of(&self, quota: &Quota) -> Option<&Policy> {
        self.rules.get(quota.rule)?.get(quota.limit)
    }
}

impl Policy {
    fn new(limit: &Limit) -> Self {
        // Names of policies hold nothing that a String of RFC 9651 §3.3.3 would escape.
        let name = format!("\"{}\"", limit.policy);
        let quota = limit.capacity();
        let item = match window(limit) {
            Some(window) => format!("{name};q={quota};w={}", window.seconds_up()),
            None => format!("{name};q={quota}"),
        };
        Self {
            name: name.into_bytes().into(),
            item: item.into_bytes().into(),
        }
    }
}

/// The span in which a limit's capacity is restored; `None` where its length varies.
fn window(limit: &Limit) -> Option<Nanos> {
    match limit.algorithm {
        Algorithm::Window(Window {
            span: Span::Month { .. },
            ..
        }) => None,
        _ => Some(limit.window()),
    }
}

fn separate(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.extend_from_slice(b", ");
    }
}
