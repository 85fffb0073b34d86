//! Headers of responses that were not refused here.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::reply::headers::{Change, ResponseHeaders};
use crate::units::Numbers;

/// Replaced fields as `name = value`, added ones as `name + value`.
fn changed(plan: &Plan, decision: &Decision, upstream: Option<&str>) -> Vec<String> {
    let headers = ResponseHeaders::new(plan, &Policies::new(plan), decision, NOW);
    let changes = headers.changes(upstream.map(str::as_bytes));
    let text = |value| String::from_utf8(value).unwrap();
    changes
        .map(|change| match change {
            Change::Add(name, value) => format!("{name} + {}", text(value)),
            Change::Replace(name, value) => format!("{name} = {}", text(value)),
        })
        .collect()
}

#[test]
fn an_admitted_response_lists_every_limit() {
    assert_eq!(
        changed(&plan(), &admitted(), None),
        [
            r#"ratelimit-policy + "per-client";q=40;w=2, "per-user.daily";q=1000;w=86400, "per-user.monthly";q=20000"#,
            r#"ratelimit + "per-client";r=39;t=1, "per-user.daily";r=7;t=3600, "per-user.monthly";r=19000;t=777600"#,
            "x-ratelimit-limit = 1000",
            "x-ratelimit-remaining + 7",
            "x-ratelimit-reset = 3600",
        ]
    );
}

#[test]
fn the_numbers_of_the_limiter_come_before_those_of_the_plan() {
    let mut decision = admitted();
    let monthly = Numbers {
        requests: 5_000,
        per: Nanos(30 * Nanos::DAY.0),
    };
    decision.quotas[1].counted = Some(monthly.into());
    assert_eq!(
        changed(&plan(), &decision, None)[..3],
        [
            r#"ratelimit-policy + "per-client";q=40;w=2, "per-user.daily";q=5000;w=2592000, "per-user.monthly";q=20000"#,
            r#"ratelimit + "per-client";r=39;t=1, "per-user.daily";r=7;t=3600, "per-user.monthly";r=19000;t=777600"#,
            "x-ratelimit-limit = 5000",
        ]
    );
}

#[test]
fn a_reset_by_the_clock_is_never_early() {
    let mut plan = plan();
    plan.response.reset = Reset::Epoch;
    plan.response.ietf_draft_11 = false;
    // 1 ns and 3,599 s and 1 ns past a whole second.
    assert_eq!(
        changed(&plan, &admitted(), None)[2],
        "x-ratelimit-reset = 1702736400"
    );
}

#[test]
fn of_equally_many_remaining_the_later_reset_is_told() {
    let mut decision = admitted();
    decision.quotas[0].remaining = 7;
    assert!(changed(&plan(), &decision, None).contains(&"x-ratelimit-limit = 1000".to_owned()));
}

#[test]
fn no_limit_no_headers() {
    assert!(changed(&plan(), &Decision::default(), None).is_empty());
    let mut plan = plan();
    plan.response.x_ratelimit = false;
    plan.response.ietf_draft_11 = false;
    let headers = ResponseHeaders::new(&plan, &Policies::new(&plan), &admitted(), NOW);
    assert_eq!(headers.sentinel(), None);
    assert_eq!(headers.changes(None).count(), 0);
}

/// Whichever of the three it sends, the response has one of each.
#[test]
fn an_upstream_that_does_not_say_what_remains_is_replaced() {
    const FIELDS: [&str; 3] = [
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ];
    let plan = plan();
    for sent in 0..8_usize {
        let is_sent = |place: usize| sent & 1 << place != 0;
        let theirs = (0..3).filter(|place| is_sent(*place));
        let mut fields: Vec<(&str, Vec<u8>)> = theirs
            .map(|place| (FIELDS[place], b"900".to_vec()))
            .collect();
        let upstream = is_sent(1).then_some(&b"900"[..]);
        let headers = ResponseHeaders::new(&plan, &Policies::new(&plan), &admitted(), NOW);
        for change in headers.changes(upstream) {
            let (name, value) = match change {
                Change::Add(name, value) => (name, value),
                Change::Replace(name, value) => {
                    fields.retain(|(held, _)| *held != name);
                    (name, value)
                }
            };
            fields.push((name, value));
        }
        for (name, value) in FIELDS.iter().zip(["1000", "7", "3600"]) {
            let held: Vec<_> = fields.iter().filter(|(held, _)| held == name).collect();
            assert_eq!(held, [&(*name, value.as_bytes().to_vec())], "{sent}");
        }
    }
}

#[test]
fn an_upstream_that_promises_less_keeps_its_word() {
    let mut plan = plan();
    plan.response.ietf_draft_11 = false;
    for kept in ["0", "7", " 7 ", "-1", "many", "", "7, 7", "1e9"] {
        assert!(
            changed(&plan, &admitted(), Some(kept)).is_empty(),
            "{kept:?}"
        );
    }
    for replaced in ["8", "4294967296", "99999999999999999999999999"] {
        assert_eq!(
            changed(&plan, &admitted(), Some(replaced)),
            [
                "x-ratelimit-limit = 1000",
                "x-ratelimit-remaining = 7",
                "x-ratelimit-reset = 3600"
            ]
        );
    }
    plan.response.ietf_draft_11 = true;
    assert_eq!(changed(&plan, &admitted(), Some("0")).len(), 2);
}
