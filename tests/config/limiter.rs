//! What a limiter and its rules are when a document does not say.

use serde_json::{Value, json};
use weir::global::breaker::Terms;
use weir::local::limit::Algorithm;
use weir::plan::{Global, MaxWait, OnError, Plan, Rule};
use weir::units::Nanos;

use super::read;

/// A document with these rules and the least that can be said of a limiter.
fn plan(rules: &Value) -> Plan {
    let limiter = json!({ "engine": "gubernator", "cluster": "quotas", "proxies": 3 });
    let document = json!({ "limiter": limiter, "rules": rules });
    read(&serde_json::to_vec(&document).unwrap()).unwrap()
}

fn rule(limits: &Value) -> Value {
    json!({ "name": "a", "limits": limits, "global": { "mode": "per_request" } })
}

/// The first limit of the only rule, and this proxy's share of it.
fn capacities(plan: &Plan) -> (u32, u32) {
    let rule = &plan.rules[0];
    let Some(Global::PerRequest(share)) = &rule.global else {
        panic!("it asks for each request");
    };
    let share = &share[0];
    (rule.limits[0].capacity(), share.capacity())
}

#[test]
fn a_limiter_has_these_defaults() {
    let service = plan(&json!([rule(&json!("unlimited"))])).service.unwrap();
    assert_eq!(
        (&*service.cluster, &*service.authority),
        ("quotas", "quotas")
    );
    assert_eq!(service.timeout, Nanos(250 * Nanos::MILLISECOND.0));
    let expected = MaxWait {
        lease: Nanos(20_000_000),
        per_request: service.timeout,
    };
    assert_eq!(service.max_wait, expected);
    assert_eq!(service.on_error, OnError::Local);
    assert_eq!(service.max_parked, 1_024);
    assert!(service.headers.is_empty());
    assert_eq!(service.cold_keys_per_second, 1_000);
    let milliseconds = |number: u64| Nanos(number * 1_000_000);
    let expected = Terms {
        failures: 5,
        open: milliseconds(250),
        max_open: milliseconds(2_000),
        probe: milliseconds(350),
    };
    assert_eq!(service.breaker, expected);
}

/// The terms of this breaker, of calls with this time-out.
fn terms(breaker: &Value, timeout: &Value) -> Terms {
    let limiter = json!({
        "engine": "gubernator", "cluster": "quotas", "proxies": 3, "timeout": timeout, "breaker": breaker,
    });
    let document = json!({ "limiter": limiter, "rules": [rule(&json!("unlimited"))] });
    let plan = read(&serde_json::to_vec(&document).unwrap()).unwrap();
    plan.service.unwrap().breaker
}

#[test]
fn a_breaker_is_open_for_as_long_at_most_as_at_first() {
    let max_open = |breaker: &Value| terms(breaker, &json!("250ms")).max_open;
    let seconds = |number: u64| Nanos(number * 1_000_000_000);
    assert_eq!(max_open(&json!({ "open": "1s" })), seconds(2));
    assert_eq!(max_open(&json!({ "open": "5s" })), seconds(5));
    assert_eq!(
        max_open(&json!({ "open": "5s", "max_open": "5s" })),
        seconds(5)
    );
}

#[test]
fn a_probe_outlasts_its_call() {
    let probe = |timeout: &str| terms(&json!({}), &json!(timeout)).probe;
    assert_eq!(probe("1ms"), Nanos(101_000_000));
    assert_eq!(probe("60s"), Nanos(60_100_000_000));
}

#[test]
fn credentials_are_in_the_plan_and_in_no_dump_of_it() {
    let headers = json!({ "Authorization": { "env": "SECRET" }, "x-key": "hunter3" });
    let limiter = json!({
        "engine": "gubernator", "cluster": "quotas", "proxies": 3, "headers": headers,
    });
    let document = json!({ "limiter": limiter, "rules": [rule(&json!("unlimited"))] });
    let plan = read(&serde_json::to_vec(&document).unwrap()).unwrap();
    let headers = &plan.service.as_ref().unwrap().headers;
    let headers = headers.iter().map(|(name, value)| (&**name, &*value.0));
    let expected = [("authorization", "hunter2"), ("x-key", "hunter3")];
    assert_eq!(headers.collect::<Vec<_>>(), expected);
    assert!(!format!("{plan:?}").contains("hunter"));
}

#[test]
fn a_global_rule_has_fixed_windows_by_default() {
    let limits = json!([{ "requests": 10, "per": "1m" }]);
    let local = json!({ "name": "b", "limits": limits });
    let plan = plan(&json!([rule(&limits), local]));
    let is_window =
        |rule: &Rule| matches!(&rule.limits[0].algorithm, Algorithm::Window(w) if !w.sliding);
    assert_eq!(
        plan.rules.iter().map(is_window).collect::<Vec<_>>(),
        [true, false]
    );
}

#[test]
fn a_proxy_s_share_is_a_part_and_one_at_least() {
    for (requests, share) in [(10, 3), (3, 1), (2, 1), (0, 0)] {
        let limits = json!([{ "requests": requests, "per": "1m" }]);
        assert_eq!(
            capacities(&plan(&json!([rule(&limits)]))),
            (requests, share)
        );
    }
    let bucket =
        json!([{ "requests": 10, "per": "1m", "algorithm": "token_bucket", "burst": 100 }]);
    assert_eq!(capacities(&plan(&json!([rule(&bucket)]))), (100, 33));
}

#[test]
fn a_part_of_a_key_is_named_as_envoy_s_own_actions_name_it() {
    let named = json!([
        "client_ip", "method", "path", "host", "route",
        { "header": "X-Tenant" }, { "cookie": "sid" }, { "query": "q" },
        { "path_segment": 1 }, { "path_template": "/{a}/{b}" }, { "constant": "x" },
        { "header": "x-b", "as": "b" },
    ]);
    let mut rule = rule(&json!([{ "requests": 10, "per": "1m" }]));
    rule["key"] = named;
    let plan = plan(&json!([rule]));
    let names = plan.rules[0].key.iter().map(|part| &*part.descriptor_key);
    assert_eq!(
        names.collect::<Vec<_>>(),
        [
            "remote_address",
            "method",
            "path",
            "host",
            "route",
            "x-tenant",
            "sid",
            "q",
            "path_segment",
            "path_template",
            "generic_key",
            "b"
        ]
    );
}

/// What its pots are found by, of the first limit of the only rule.
fn mark(limiter: &Value, rule: &Value) -> u64 {
    let document = json!({ "limiter": limiter, "rules": [rule] });
    let plan = read(&serde_json::to_vec(&document).unwrap()).unwrap();
    plan.leased(0, 0).unwrap().mark
}

#[test]
fn a_lease_goes_on_under_another_number_and_not_at_another_place() {
    let limiter = json!({ "engine": "gubernator", "cluster": "quotas", "proxies": 3 });
    let rule = |limits: Value| json!({ "name": "a", "global": {}, "limits": limits });
    let of = |requests: u32, per: &str| rule(json!([{ "requests": requests, "per": per }]));
    let hour = mark(&limiter, &of(100, "1h"));
    assert_eq!(mark(&limiter, &of(200, "1h")), hour);
    assert_ne!(mark(&limiter, &of(100, "1m")), hour);
    for (field, value) in [
        ("cluster", "others"),
        ("authority", "others"),
        ("engine", "limitador"),
    ] {
        let mut other = limiter.clone();
        other[field] = value.into();
        assert_ne!(mark(&other, &of(100, "1h")), hour, "{field}");
    }
    let mut proxies = limiter.clone();
    proxies["proxies"] = json!(4);
    assert_eq!(mark(&proxies, &of(100, "1h")), hour);
    let two = rule(json!([{ "requests": 100, "per": "1h" }, { "requests": 1, "per": "1m" }]));
    assert_ne!(mark(&limiter, &two), hour);
}
