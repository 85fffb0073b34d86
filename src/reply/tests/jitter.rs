//! Refusals that name a later time than the true one.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::decision::{Effect, RuleOutcome};

/// A rule that refused a key.
fn refusing(rule: usize, fingerprint: u64) -> Vec<RuleOutcome> {
    vec![RuleOutcome {
        rule,
        fingerprint: Some(fingerprint),
        effect: Effect::Refused,
    }]
}

/// [`limited`], for a key.
fn limited_for(fingerprint: u64) -> Decision {
    Decision {
        rules: refusing(1, fingerprint),
        ..limited()
    }
}

/// The number behind `before` in a field.
fn number(fields: &[String], name: &str, before: &str) -> u64 {
    let field = fields.iter().find(|field| field.starts_with(name)).unwrap();
    let (_, behind) = field.split_once(before).unwrap();
    let mut numbers = behind.split(|letter: char| !letter.is_ascii_digit());
    numbers.next().unwrap().parse().unwrap()
}

#[test]
fn limits_that_refused_say_a_later_time_by_the_same_span() {
    let mut plan = plan();
    plan.response.retry_jitter = 10;
    let mut spans = std::collections::BTreeSet::new();
    for fingerprint in 0..200 {
        let reply = refused(&plan, &limited_for(fingerprint), false);
        let fields = fields(&reply);
        let later = number(&fields, "retry-after: ", ": ") - 3_600;
        let times = [
            ("x-ratelimit-reset: ", ": ", 3_600 + later),
            ("ratelimit: ", "\"per-client\";r=0;t=", 1 + later),
            ("ratelimit: ", "\"per-user.daily\";r=0;t=", 3_600 + later),
            // It did not refuse.
            ("ratelimit: ", "\"per-user.monthly\";r=19000;t=", 777_600),
        ];
        for (name, before, expected) in times {
            assert_eq!(number(&fields, name, before), expected, "{before}");
        }
        assert!(body(&reply).contains(&format!("; retry in {} s.", 3_600 + later)));
        spans.insert(later);
    }
    assert!(spans.into_iter().eq(0..=10));
}

#[test]
fn epochs_and_templates_say_it_too() {
    let mut plan = plan();
    plan.response.reset = Reset::Epoch;
    plan.response.ietf_draft_11 = false;
    let template = "{retry_after} {reset_seconds} {reset_epoch}";
    plan.response.body = Body::Text(Template::text(template).unwrap());
    let read = |plan: &Plan| {
        let reply = refused(plan, &limited_for(5), false);
        let fields = fields(&reply);
        let numbers = body(&reply).split(' ').map(|it| it.parse().unwrap());
        let numbers: Vec<u64> = numbers.collect();
        let [after, seconds, epoch] = numbers[..] else {
            panic!("three numbers")
        };
        assert_eq!(after, seconds);
        assert_eq!(after, number(&fields, "retry-after: ", ": "));
        assert_eq!(epoch, number(&fields, "x-ratelimit-reset: ", ": "));
        (after, epoch)
    };
    let (after, epoch) = read(&plan);
    plan.response.retry_jitter = 600;
    let (later, later_epoch) = read(&plan);
    assert!(later > after);
    assert_eq!(later - after, later_epoch - epoch);
}

/// Of these a client is told "in a second", whatever it is counted by; of one no time at all.
#[test]
fn what_no_limit_refused_says_what_it_always_says() {
    let mut plan = plan();
    let never = Reason::Limited {
        limit: 0,
        wait: Wait::Never,
    };
    for (rule, reason) in [
        (1, Reason::Contended),
        (1, Reason::Unavailable),
        (1, Reason::MissingKey),
        (2, never),
    ] {
        let decision = Decision {
            rules: refusing(rule, 7),
            ..refused_for(rule, reason)
        };
        plan.response.retry_jitter = 0;
        let plainly = refused(&plan, &decision, false);
        plan.response.retry_jitter = 600;
        assert_eq!(refused(&plan, &decision, false), plainly);
    }
}
