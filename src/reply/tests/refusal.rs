//! Refusals, whole.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::config::json::Node;

#[test]
fn a_refusal_speaks_of_the_longest_wait() {
    let reply = refused(&plan(), &limited(), false);
    assert_eq!(reply.status, 429);
    assert_eq!(reply.details, b"weir_limited[per-user.daily]");
    assert_eq!(reply.filter_state, b"per-user.daily");
    assert_eq!(reply.grpc_status, None);
    assert_eq!(
        fields(&reply),
        [
            "content-type: application/problem+json",
            "cache-control: no-store",
            "retry-after: 3600",
            r#"ratelimit-policy: "per-client";q=40;w=2, "per-user.daily";q=1000;w=86400, "per-user.monthly";q=20000"#,
            r#"ratelimit: "per-client";r=0;t=1, "per-user.daily";r=0;t=3600, "per-user.monthly";r=19000;t=777600"#,
            "x-ratelimit-limit: 1000",
            "x-ratelimit-remaining: 0",
            "x-ratelimit-reset: 3600",
            "x-envoy-ratelimited: true",
        ]
    );
    assert_eq!(
        body(&reply),
        concat!(
            r#"{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Quota Exceeded","status":429,"#,
            r#""detail":"Limit daily of rule per-user is used up; retry in 3600 s.","#,
            r#""violated-policies":["per-client","per-user.daily"]}"#
        )
    );
}

#[test]
fn never_has_no_time() {
    let mut decision = refused_for(
        2,
        Reason::Limited {
            limit: 0,
            wait: Wait::Never,
        },
    );
    decision.quotas.push(violated(2, 0, Wait::Never));
    let reply = refused(&plan(), &decision, false);
    assert_eq!(
        fields(&reply),
        [
            "content-type: application/problem+json",
            "cache-control: no-store",
            r#"ratelimit-policy: "closed";q=0;w=60"#,
            r#"ratelimit: "closed";r=0"#,
            "x-ratelimit-limit: 0",
            "x-ratelimit-remaining: 0",
            "x-envoy-ratelimited: true",
        ]
    );
    assert!(body(&reply).contains(r#""Limit none of rule closed never admits this request.""#));
}

#[test]
fn what_is_no_limit_has_a_status_of_its_own() {
    let plan = plan();
    let reply = refused(&plan, &refused_for(1, Reason::MissingKey), false);
    assert_eq!(
        (reply.status, &*reply.details),
        (403, &b"weir_missing_key[per-user]"[..])
    );
    assert_eq!(
        body(&reply),
        r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"The key of rule per-user is missing, empty or repeated."}"#
    );
    let no_more = [
        "content-type: application/problem+json",
        "cache-control: no-store",
    ];
    assert_eq!(fields(&reply), no_more);

    let reply = refused(&plan, &refused_for(1, Reason::Unavailable), false);
    assert_eq!(
        (reply.status, &*reply.details),
        (503, &b"weir_unavailable[per-user]"[..])
    );
    assert_eq!(
        body(&reply),
        r#"{"type":"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity","title":"Temporary Reduced Capacity","status":503,"detail":"Rule per-user cannot be judged now; retry in 1 s.","violated-policies":[]}"#
    );
    assert_eq!(fields(&reply)[2], "retry-after: 1");

    let reply = refused(&plan, &refused_for(1, Reason::Contended), false);
    assert_eq!(
        (reply.status, &*reply.filter_state),
        (429, &b"per-user"[..])
    );
    assert_eq!(fields(&reply)[2], "retry-after: 1");
}

/// As Envoy's `ratelimit` filter does: on a limit's refusal, whatever its status, and on no other.
#[test]
fn only_a_limit_says_that_it_refused() {
    let mut plan = plan();
    let says = |plan: &Plan, decision: &Decision, grpc| {
        let fields = fields(&refused(plan, decision, grpc));
        fields.contains(&"x-envoy-ratelimited: true".to_owned())
    };
    for (decision, expected) in [
        (limited(), true),
        (refused_for(0, Reason::Contended), true),
        (refused_for(0, Reason::MissingKey), false),
        (refused_for(0, Reason::Unavailable), false),
    ] {
        for grpc in [false, true] {
            plan.response.status = 503;
            plan.response.envoy_ratelimited = true;
            assert_eq!(says(&plan, &decision, grpc), expected, "{decision:?}");
            plan.response.envoy_ratelimited = false;
            assert!(!says(&plan, &decision, grpc), "{decision:?}");
        }
    }
}

#[test]
fn a_grpc_caller_gets_a_status_and_a_message() {
    for (reason, status) in [
        (Reason::Contended, 8),
        (Reason::MissingKey, 7),
        (Reason::Unavailable, 14),
    ] {
        let reply = refused(&plan(), &refused_for(0, reason), true);
        assert_eq!(reply.grpc_status, Some(status));
    }
    let reply = refused(&plan(), &limited(), true);
    assert_eq!(reply.grpc_status, Some(8));
    assert_eq!(
        body(&reply),
        "Limit daily of rule per-user is used up; retry in 3600 s."
    );
    assert_eq!(
        fields(&reply)[..2],
        ["cache-control: no-store", "retry-after: 3600"]
    );
}

/// The body that the loans API's clients parse.
#[test]
fn a_json_body_is_what_its_template_says() {
    let mut plan = plan();
    let minute = Nanos(60 * SECOND);
    plan.rules[0].limits = vec![bucket("60-per-60s", "per-client", 60, minute, 60)];
    let template = Node::parse(
        br#"{"error":"rate_limit_exceeded","message":"Rate limit exceeded. Maximum {limit} requests per {window_seconds} seconds.","retry_after":"{retry_after}","reset_at":"{reset_epoch}"}"#,
    );
    plan.response.body = Body::Json(Template::json(&template.unwrap()).unwrap());
    let wait = Wait::After(Nanos(4 * SECOND + 5));
    let mut decision = refused_for(0, Reason::Limited { limit: 0, wait });
    decision.quotas.push(violated(0, 0, wait));
    let reply = refused(&plan, &decision, false);
    assert_eq!(
        body(&reply),
        r#"{"error":"rate_limit_exceeded","message":"Rate limit exceeded. Maximum 60 requests per 60 seconds.","retry_after":5,"reset_at":1702732805}"#
    );
    assert_eq!(fields(&reply)[0], "content-type: application/json");
    // The same numbers where contention refused; and no template where no limit was tested.
    let contended = refused(&plan, &refused_for(0, Reason::Contended), false);
    assert!(body(&contended).ends_with(r#""retry_after":1,"reset_at":1702732802}"#));
    let keyless = refused(&plan, &refused_for(0, Reason::MissingKey), false);
    assert_eq!(
        fields(&keyless)[0],
        "content-type: application/problem+json"
    );
}

#[test]
fn an_operator_may_change_most_of_it() {
    let mut plan = plan();
    plan.response.status = 503;
    plan.response.retry_after = false;
    plan.response.envoy_ratelimited = false;
    plan.response.x_ratelimit = false;
    plan.response.ietf_draft_11 = false;
    plan.response.body = Body::Text(Template::text("slow down, {rule}").unwrap());
    plan.response.add_headers = vec![("x-docs".into(), "limits".into())];
    let reply = refused(&plan, &limited(), false);
    assert_eq!(reply.status, 503);
    assert_eq!(body(&reply), "slow down, per-user");
    assert_eq!(
        fields(&reply),
        [
            "content-type: text/plain; charset=utf-8",
            "cache-control: no-store",
            "x-docs: limits",
        ]
    );
    plan.response.body = Body::None;
    plan.response.add_headers.clear();
    let reply = refused(&plan, &limited(), false);
    assert_eq!((body(&reply), fields(&reply).len()), ("", 1));
}
