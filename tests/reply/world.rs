//! Any plan, any decision about it, and a reader of what is made of them.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};

use proptest::prelude::*;
use proptest::sample::Index;
use weir::config::load;
use weir::decision::{Decision, Quota, Reason, Refusal};
use weir::local::calendar::Span;
use weir::local::gcra::{Bucket, MAX_FILL};
use weir::local::limit::{Algorithm, Limit, MAX_LIMITS};
use weir::local::window::Window;
use weir::plan::{OnFault, OnMissingKey, Plan, Rule};
use weir::reply::LocalReply;
use weir::units::{Instant, Nanos, Now, UnixTime, Wait};

/// Fields of a response by name.
pub type Fields = BTreeMap<String, String>;

/// A plan and a decision of which every index fits.
#[derive(Debug)]
pub struct Case {
    pub plan: Plan,
    pub decision: Decision,
    pub now: Now,
}

impl Case {
    pub fn limit(&self, quota: &Quota) -> &Limit {
        &self.plan.rules[quota.rule].limits[quota.limit]
    }

    /// Names of the policies that were violated.
    pub fn violated(&self) -> Vec<&str> {
        let quotas = self.decision.quotas.iter();
        quotas
            .filter(|quota| quota.violated.is_some())
            .map(|quota| &*self.limit(quota).policy)
            .collect()
    }
}

/// Decisions that admit.
pub fn admitted() -> impl Strategy<Value = Case> {
    let states = prop::collection::vec((any::<Index>(), any::<u64>()), MOST_LIMITS);
    let first = any::<Index>();
    (plan(), now(), first, states).prop_map(|(plan, now, first, states)| {
        let first = first.index(plan.rules.len());
        let quotas = quotas(&plan, first, &states);
        let decision = Decision {
            quotas,
            ..Decision::default()
        };
        Case {
            plan,
            decision,
            now,
        }
    })
}

/// Decisions that refuse because of one limit or several.
pub fn limited() -> impl Strategy<Value = Case> {
    let waits = prop::collection::vec(prop::option::of(wait()), MOST_LIMITS);
    (admitted(), waits, any::<Index>(), wait()).prop_map(|(mut case, waits, first, wait)| {
        let quotas = &mut case.decision.quotas;
        for (quota, wait) in quotas.iter_mut().zip(waits) {
            quota.violated = wait;
        }
        let first = first.index(quotas.len());
        quotas[first].violated.get_or_insert(wait);
        let longest = quotas.iter().max_by_key(|quota| quota.violated).unwrap();
        let (limit, wait) = (longest.limit, longest.violated.unwrap());
        case.decision.refusal = Some(Refusal {
            rule: longest.rule,
            reason: Reason::Limited { limit, wait },
        });
        case
    })
}

/// Decisions that refuse for any reason.
pub fn refused() -> impl Strategy<Value = Case> {
    let reasons = prop::sample::select(vec![
        Reason::Contended,
        Reason::MissingKey,
        Reason::Unavailable,
    ]);
    let others = (admitted(), reasons).prop_map(|(mut case, reason)| {
        let rule = case.decision.quotas[0].rule;
        case.decision.refusal = Some(Refusal { rule, reason });
        case
    });
    prop_oneof![limited(), others]
}

/// Header fields of a reply, read as the host reads them.
pub fn fields(reply: &LocalReply) -> Fields {
    let (count, rest) = word(&reply.headers);
    let (lengths, mut texts) = rest.split_at(8 * count);
    let mut text = |length: &[u8]| {
        let (text, after) = texts.split_at(word(length).0);
        let (&nul, after) = after.split_first().unwrap();
        assert_eq!(nul, 0);
        texts = after;
        String::from_utf8(text.to_vec()).unwrap()
    };
    let fields: Vec<_> = lengths
        .chunks(8)
        .map(|pair| (text(&pair[..4]), text(&pair[4..])))
        .collect();
    assert!(texts.is_empty());
    let by_name: Fields = fields.iter().cloned().collect();
    assert_eq!(by_name.len(), fields.len(), "a field is there twice");
    by_name
}

fn word(bytes: &[u8]) -> (usize, &[u8]) {
    let (word, rest) = bytes.split_first_chunk().unwrap();
    (usize::try_from(u32::from_le_bytes(*word)).unwrap(), rest)
}

/// Of four rules.
const MOST_LIMITS: usize = 4 * MAX_LIMITS;

/// What the limits of the rules from `first` on say, in the order of the plan.
fn quotas(plan: &Plan, first: usize, states: &[(Index, u64)]) -> Vec<Quota> {
    let rules = plan.rules.iter().enumerate().skip(first);
    let limits = rules.flat_map(|(rule, it)| {
        let limits = it.limits.iter().enumerate();
        limits.map(move |(number, limit)| (rule, number, limit.capacity()))
    });
    limits
        .zip(states)
        .map(|((rule, limit, capacity), (remaining, reset))| Quota {
            rule,
            limit,
            remaining: remaining.index(capacity as usize + 1) as u32,
            reset: Nanos(*reset),
            violated: None,
            counted: None,
        })
        .collect()
}

fn plan() -> impl Strategy<Value = Plan> {
    let limits = || prop::collection::vec(algorithm(), 1..=MAX_LIMITS);
    (prop::collection::vec(limits(), 1..=4), any::<bool>()).prop_map(|(rules, epoch)| {
        let document = serde_json::json!({
            "enabled": false,
            "rules": [],
            "response": {
                "headers": ["x-ratelimit", "ietf-draft-11"],
                "reset": if epoch { "epoch" } else { "seconds" },
            },
            "log": { "keys": "plain" },
        });
        Plan {
            enabled: true,
            rules: rules.into_iter().enumerate().map(rule).collect(),
            ..load(document.to_string().as_bytes(), &|_| None).unwrap()
        }
    })
}

fn rule((index, algorithms): (usize, Vec<(u32, Nanos, Algorithm)>)) -> Rule {
    let name = format!("rule-{index}");
    let several = algorithms.len() > 1;
    let limit = |(number, (requests, per, algorithm)): (usize, _)| {
        let own = format!("limit_{number}");
        let policy = if several {
            format!("{name}.{own}")
        } else {
            name.clone()
        };
        Limit {
            name: own.into(),
            policy: policy.into(),
            requests,
            per,
            algorithm,
        }
    };
    Rule {
        limits: algorithms.into_iter().enumerate().map(limit).collect(),
        name: name.into(),
        matches: None,
        key: Vec::new(),
        on_missing_key: OnMissingKey::Deny,
        on_fault: OnFault::Deny,
        global: None,
    }
}

fn algorithm() -> impl Strategy<Value = (u32, Nanos, Algorithm)> {
    const MOST: u32 = 1_000_000_000;
    let per = (1_u64..=366 * 86_400_000).prop_map(|millis| Nanos(millis * 1_000_000));
    let token_bucket = (1..=MOST, per.clone(), 1..=MOST).prop_filter_map(
        "a bucket that fills within its bound",
        |(requests, per, burst)| {
            let requests = NonZeroU32::new(requests)?;
            let bucket = Bucket::new(requests, per, NonZeroU32::new(burst)?)?;
            assert!(bucket.fill_time().0 <= MAX_FILL.0 + 1);
            Some((requests.get(), per, Algorithm::TokenBucket(bucket)))
        },
    );
    let window = (1..=MOST, per.clone(), any::<bool>(), any::<bool>()).prop_map(
        |(limit, per, sliding, month)| {
            let length = NonZeroU64::new(per.0).unwrap();
            let span = if month {
                let utc_offset_minutes = 0;
                Span::Month { utc_offset_minutes }
            } else {
                let offset = Nanos(0);
                Span::Every { length, offset }
            };
            let window = Window {
                limit,
                span,
                sliding,
            };
            (limit, per, Algorithm::Window(window))
        },
    );
    let closed = per.prop_map(|per| (0, per, Algorithm::Closed));
    prop_oneof![4 => token_bucket, 4 => window, 1 => closed]
}

/// Any time until 2242, by then the proxy has been restarted.
fn now() -> impl Strategy<Value = Now> {
    let some = 0..=1_u64 << 63;
    (some.clone(), some).prop_map(|(monotonic, unix)| Now {
        monotonic: Instant(monotonic),
        unix: UnixTime(unix),
    })
}

fn wait() -> impl Strategy<Value = Wait> {
    let spans = prop_oneof![1..=5_000_000_000_u64, 1..=MAX_FILL.0];
    prop_oneof![
        6 => spans.prop_map(|span| Wait::After(Nanos(span))),
        1 => Just(Wait::Never),
    ]
}
