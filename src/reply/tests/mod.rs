//! Golden bytes of everything that a client sees: one plan, some decisions, and readers of what is made of them.

use std::num::{NonZeroU32, NonZeroU64};

mod headers;
mod jitter;
mod refusal;

use super::*;
use crate::decision::Refusal;
use crate::local::calendar::Span;
use crate::local::gcra::Bucket;
use crate::local::limit::{Algorithm, Limit};
use crate::local::window::Window;
use crate::plan::{
    AddressSource, ClientIp, Log, LogKeys, OnFault, OnMissingKey, Reset, Response, Rule,
};
use crate::units::{Instant, UnixTime};

const SECOND: u64 = Nanos::SECOND.0;
const NOW: Now = Now {
    monotonic: Instant(77),
    unix: UnixTime(1_702_732_800 * SECOND + 1),
};

fn bucket(name: &str, policy: &str, requests: u32, per: Nanos, burst: u32) -> Limit {
    let nonzero = |number| NonZeroU32::new(number).unwrap();
    let bucket = Bucket::new(nonzero(requests), per, nonzero(burst)).unwrap();
    limit(name, policy, requests, per, Algorithm::TokenBucket(bucket))
}

fn window(name: &str, policy: &str, requests: u32, span: Span) -> Limit {
    let per = span.length(0);
    let window = Window {
        limit: requests,
        span,
        sliding: false,
    };
    limit(name, policy, requests, per, Algorithm::Window(window))
}

fn limit(name: &str, policy: &str, requests: u32, per: Nanos, algorithm: Algorithm) -> Limit {
    Limit {
        name: name.into(),
        policy: policy.into(),
        requests,
        per,
        algorithm,
    }
}

fn rule(name: &str, limits: Vec<Limit>) -> Rule {
    Rule {
        name: name.into(),
        matches: None,
        key: Vec::new(),
        on_missing_key: OnMissingKey::Deny,
        on_fault: OnFault::Deny,
        limits,
        global: None,
    }
}

/// A bucket of 20 per 1 s with burst 40; a day and a month; one that is closed.
pub(crate) fn plan() -> Plan {
    let day = Span::Every {
        length: NonZeroU64::new(Nanos::DAY.0).unwrap(),
        offset: Nanos(0),
    };
    let month = Span::Month {
        utc_offset_minutes: 0,
    };
    let minute = Nanos(60 * SECOND);
    Plan {
        enabled: true,
        service: None,
        domain: "default".into(),
        rules: vec![
            rule(
                "per-client",
                vec![bucket("20-per-1s", "per-client", 20, Nanos::SECOND, 40)],
            ),
            rule(
                "per-user",
                vec![
                    window("daily", "per-user.daily", 1_000, day),
                    window("monthly", "per-user.monthly", 20_000, month),
                ],
            ),
            rule(
                "closed",
                vec![limit("none", "closed", 0, minute, Algorithm::Closed)],
            ),
        ],
        client_ip: ClientIp {
            source: AddressSource::Connection,
            v4_prefix: 32,
            v6_prefix: 64,
        },
        response: Response {
            status: 429,
            x_ratelimit: true,
            ietf_draft_11: true,
            reset: Reset::Seconds,
            retry_after: true,
            retry_jitter: 0,
            envoy_ratelimited: true,
            body: Body::Problem,
            add_headers: Vec::new(),
        },
        max_keys: 65_536,
        log: Log {
            refusals_per_second: 10,
            keys: LogKeys::Hashed,
        },
    }
}

fn quota(rule: usize, limit: usize, remaining: u32, reset: Nanos) -> Quota {
    Quota {
        rule,
        limit,
        remaining,
        reset,
        violated: None,
        counted: None,
    }
}

fn violated(rule: usize, limit: usize, wait: Wait) -> Quota {
    Quota {
        violated: Some(wait),
        ..quota(rule, limit, 0, Nanos(2 * SECOND))
    }
}

fn admitted() -> Decision {
    Decision {
        quotas: vec![
            quota(0, 0, 39, Nanos(SECOND / 20)),
            quota(1, 0, 7, Nanos(3_599 * SECOND + 1)),
            quota(1, 1, 19_000, Nanos(9 * Nanos::DAY.0)),
        ],
        ..Decision::default()
    }
}

/// Over a bucket for 50 ms and over a day's window for an hour.
fn limited() -> Decision {
    let wait = Wait::After(Nanos(3_599 * SECOND + 1));
    Decision {
        quotas: vec![
            violated(0, 0, Wait::After(Nanos(SECOND / 20))),
            violated(1, 0, wait),
            quota(1, 1, 19_000, Nanos(9 * Nanos::DAY.0)),
        ],
        refusal: Some(Refusal {
            rule: 1,
            reason: Reason::Limited { limit: 0, wait },
        }),
        ..Decision::default()
    }
}

pub(crate) fn refused_for(rule: usize, reason: Reason) -> Decision {
    Decision {
        quotas: vec![],
        refusal: Some(Refusal { rule, reason }),
        ..Decision::default()
    }
}

fn refused(plan: &Plan, decision: &Decision, grpc: bool) -> LocalReply {
    refusal(plan, &Policies::new(plan), decision, NOW, grpc).unwrap()
}

/// Header fields, read as the host reads them.
fn fields(reply: &LocalReply) -> Vec<String> {
    let bytes = &reply.headers;
    let word = |index: usize| {
        let word = bytes[4 * index..4 * index + 4].try_into().unwrap();
        usize::try_from(u32::from_le_bytes(word)).unwrap()
    };
    let count = word(0);
    let mut rest = &bytes[4 + 8 * count..];
    let mut text = |len: usize| {
        let (text, after) = rest.split_at(len);
        assert_eq!(after[0], 0);
        rest = &after[1..];
        String::from_utf8(text.to_vec()).unwrap()
    };
    let fields = (0..count)
        .map(|index| {
            let name = text(word(1 + 2 * index));
            let value = text(word(2 + 2 * index));
            format!("{name}: {value}")
        })
        .collect();
    assert!(rest.is_empty());
    fields
}

fn body(reply: &LocalReply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}
