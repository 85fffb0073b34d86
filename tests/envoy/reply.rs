//! What callers are told: headers on every answer, and the refusal itself.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sfv::{List, ListEntry, Parser};

use crate::client::{Answer, Connection, get};
use crate::document::{Listener, per_client};
use crate::proxy;

#[tokio::test]
async fn x_ratelimit_headers_are_on_every_answer() {
    for host in proxy::everywhere() {
        let envoy = host
            .start(Listener::new(&per_client(
                &json!([{ "requests": 2, "per": "1h", "burst": 3 }]),
            )))
            .await;
        let mut caller = envoy.connect().await;
        for (status, remaining, reset) in [
            (200, 2, 1800),
            (200, 1, 3600),
            (200, 0, 5400),
            (429, 0, 1800),
        ] {
            let answer = caller.send(get("/")).await;
            assert_eq!(answer.status, status);
            assert_eq!(
                (
                    answer.number("x-ratelimit-limit"),
                    answer.number("x-ratelimit-remaining")
                ),
                (3, remaining)
            );
            // Rounded up from what is left of it; a second passes now and then.
            assert!((reset - 60..=reset).contains(&answer.number("x-ratelimit-reset")));
            assert_eq!(
                answer.header("retry-after"),
                (status == 429)
                    .then_some(answer.header("x-ratelimit-reset"))
                    .flatten()
            );
            assert_eq!(
                answer.header("cache-control"),
                (status == 429).then_some("no-store")
            );
        }
    }
}

#[tokio::test]
async fn a_reset_may_be_unix_time() {
    let mut filter = per_client(&json!([{ "requests": 2, "per": "1h" }]));
    filter["response"] = json!({ "reset": "epoch" });
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    for host in proxy::everywhere() {
        let envoy = host.start(Listener::new(&filter)).await;
        let mut caller = envoy.connect().await;
        for wait in [1800, 3600, 1800] {
            let before = now();
            let answer = caller.send(get("/")).await;
            let reset = answer.number("x-ratelimit-reset");
            // Full from the first request on, so the second and third promises are at most its age shorter.
            assert!(
                (before + wait - 60..=now() + wait + 1).contains(&reset),
                "{reset}"
            );
        }
    }
}

/// draft-ietf-httpapi-ratelimit-headers-11, read by a structured-fields parser that others wrote.
#[tokio::test]
async fn draft_11_fields_are_structured_fields() {
    let filter = json!({
        "rules": [
            { "name": "per-client", "key": ["client_ip"], "limits": [
                { "requests": 20, "per": "1s", "burst": 40, "name": "burst" },
                { "requests": 2, "per": "1h", "name": "hourly" },
            ] },
            { "name": "everyone", "limits": [{ "requests": 1000, "per": "366d", "algorithm": "fixed_window" }] },
        ],
        "response": { "headers": ["ietf-draft-11", "x-ratelimit"] },
    });
    for host in proxy::everywhere() {
        let envoy = host.start(Listener::new(&filter)).await;
        let mut caller = envoy.connect().await;
        for (status, hourly, everyone) in [(200, 1, 999), (200, 0, 998), (429, 0, 998)] {
            let answer = caller.send(get("/")).await;
            assert_eq!(answer.status, status);
            let policy = list(&answer, "ratelimit-policy", ["q", "w"]);
            assert_eq!(
                policy,
                [
                    ("per-client.burst".into(), [40, 2]),
                    ("per-client.hourly".into(), [2, 3600]),
                    ("everyone".into(), [1000, 366 * 86_400]),
                ]
            );
            let state = list(&answer, "ratelimit", ["r", "t"]);
            let names: Vec<_> = state.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["per-client.burst", "per-client.hourly", "everyone"]);
            assert_eq!((state[1].1[0], state[2].1[0]), (hourly, everyone));
            assert!(
                state
                    .iter()
                    .zip(&policy)
                    .all(|(now, most)| now.1[1] <= most.1[1] && now.1[0] <= most.1[0])
            );
            assert_eq!(
                answer.number("x-ratelimit-limit"),
                2,
                "the limit with the least remaining"
            );
        }
    }
}

#[tokio::test]
async fn a_refusal_is_a_problem_that_names_its_policies() {
    let mut filter = per_client(
        &json!([{ "requests": 1, "per": "1h", "name": "hourly" }, { "requests": 9, "per": "1s" }]),
    );
    filter["response"] =
        json!({ "status": 420, "headers": [], "add_headers": { "x-docs": "/limits" } });
    for host in proxy::everywhere() {
        let envoy = host.start(Listener::new(&filter)).await;
        let mut caller = envoy.connect().await;
        let admitted = caller.send(get("/")).await;
        assert_eq!(
            (
                admitted.status,
                admitted.header("x-docs"),
                admitted.header("x-ratelimit-limit")
            ),
            (200, None, None)
        );
        let refused = caller.send(get("/")).await;
        assert_eq!(
            (
                refused.status,
                refused.header("x-docs"),
                refused.header("x-ratelimit-limit")
            ),
            (420, Some("/limits"), None)
        );
        assert_eq!(
            refused.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(
            refused.number("content-length"),
            refused.text().len() as u64
        );
        let problem = refused.json();
        assert_eq!(
            problem["type"],
            "https://iana.org/assignments/http-problem-types#quota-exceeded"
        );
        assert_eq!(
            (&problem["status"], &problem["violated-policies"]),
            (&json!(420), &json!(["per-client.hourly"]))
        );
        assert!(problem["title"].is_string());
    }
}

/// Texts and JSON of the operator's own, in which a placeholder that stands alone is a number.
#[tokio::test]
async fn bodies_come_from_templates() {
    let json_body = json!({ "json": { "error": "slow_down", "wait": "{retry_after}", "hint": "{limit} in {window_seconds} s of {rule}.{limit_name}" } });
    let cases: [(Value, &str, &str); 3] = [
        (
            json!({ "text": "{{{rule}} {burst} {remaining}" }),
            "text/plain",
            "{per-client} 1 0",
        ),
        (
            json_body,
            "application/json",
            r#"{"error":"slow_down","wait":null,"hint":"1 in 3600 s of per-client.1-per-1h"}"#,
        ),
        (json!("none"), "", ""),
    ];
    for host in proxy::everywhere() {
        let mut envoy = host
            .start(Listener::new(&json!({ "enabled": false, "rules": [] })))
            .await;
        for (case, (body, content_type, expected)) in cases.iter().enumerate() {
            let mut filter = per_client(&json!([{ "requests": 1, "per": "1h" }]));
            filter["domain"] = format!("body-{case}").into();
            filter["response"] = json!({ "body": body });
            envoy.reload(&filter).await;
            let mut caller = envoy.connect().await;
            caller.send(get("/")).await;
            let refused = caller.send(get("/")).await;
            assert_eq!(refused.status, 429);
            assert!(
                refused
                    .header("content-type")
                    .unwrap_or("")
                    .starts_with(content_type),
                "{content_type}"
            );
            if *content_type == "application/json" {
                let mut told = refused.json();
                // How much of the hour is left is for the clock to say.
                assert_eq!(told["wait"].take(), refused.number("retry-after"));
                assert_eq!(told, serde_json::from_str::<Value>(expected).unwrap());
            } else {
                assert_eq!(refused.text(), *expected);
            }
        }
    }
}

/// Clients of one window are told to come back at different times, each its own, and all at or after the true one.
#[tokio::test]
async fn clients_of_a_window_are_told_to_come_back_apart() {
    const HOUR: u64 = 3_600;
    let limits = json!([{ "requests": 1, "per": "366d", "algorithm": "fixed_window" }]);
    let mut filter = per_client(&limits);
    filter["response"] = json!({ "retry_jitter": "10m" });
    for host in proxy::everywhere() {
        let envoy = host.start(Listener::new(&filter)).await;
        let mut spans = HashSet::new();
        let mut first = None;
        for client in 1..=20 {
            let from = Ipv4Addr::new(127, 0, 0, client);
            let mut caller = Connection::http1_from(from, envoy.address).await;
            let left = caller.send(get("/")).await.number("x-ratelimit-reset");
            let (one, two) = (caller.send(get("/")).await, caller.send(get("/")).await);
            assert_eq!((one.status, two.status), (429, 429));
            let [one, two] = [one, two].map(|answer| {
                let seconds = answer.number("retry-after");
                assert_eq!(answer.number("x-ratelimit-reset"), seconds);
                seconds
            });
            // Seconds pass now and then.
            assert!(one - two <= 60, "{one} {two}");
            assert!(one + 60 >= left && one <= left + HOUR / 6, "{one} {left}");
            spans.insert(one - *first.get_or_insert(left - 2 * HOUR));
        }
        assert!(spans.len() > 10, "{spans:?}");
    }
}

/// Where the upstream has limits of its own, callers see the stricter of the two.
#[tokio::test]
async fn an_upstream_s_stricter_headers_stay() {
    let mut filter = per_client(&json!([{ "requests": 10, "per": "1h" }]));
    filter["response"] = json!({ "headers": ["x-ratelimit", "ietf-draft-11"] });
    for host in proxy::everywhere() {
        let envoy = host.start(Listener::new(&filter)).await;
        let mut caller = envoy.connect().await;
        let strict = caller.send(get("/upstream/strict")).await;
        assert_eq!(
            (
                strict.number("x-ratelimit-limit"),
                strict.number("x-ratelimit-remaining")
            ),
            (2, 0)
        );
        assert_eq!(strict.number("x-ratelimit-reset"), 7000);
        let loose = caller.send(get("/upstream/loose")).await;
        assert_eq!(
            (
                loose.number("x-ratelimit-limit"),
                loose.number("x-ratelimit-remaining")
            ),
            (10, 8)
        );
        for mut caller in [
            envoy.connect().await,
            Connection::http2(envoy.address).await,
        ] {
            let silent = caller.send(get("/upstream/silent")).await;
            assert_eq!(silent.number("x-ratelimit-limit"), 10);
            assert!(silent.number("x-ratelimit-remaining") < 8);
            assert!(silent.number("x-ratelimit-reset") > 360);
            assert_eq!(list(&silent, "ratelimit-policy", ["q", "w"]).len(), 2);
            assert_eq!(list(&silent, "ratelimit", ["r", "t"]).len(), 1);
        }
        let remaining = list(&loose, "ratelimit", ["r", "t"]);
        assert!(
            remaining
                .iter()
                .any(|(name, [r, _])| name == "per-client" && *r == 8),
            "{remaining:?}"
        );
    }
}

/// A structured list of strings, with two parameters that each must have.
fn list(answer: &Answer, name: &str, parameters: [&str; 2]) -> Vec<(String, [i64; 2])> {
    let value = answer.lines(name).join(", ");
    let list: List = Parser::new(&value)
        .parse()
        .unwrap_or_else(|error| panic!("{name}: {value}: {error}"));
    list.into_iter()
        .map(|entry| {
            let ListEntry::Item(item) = entry else {
                panic!("{name}: {value}: not a list of items")
            };
            let number = |key: &str| i64::from(item.params[key].as_integer().unwrap());
            (
                item.bare_item.as_string().unwrap().as_str().to_owned(),
                parameters.map(number),
            )
        })
        .collect()
}
