//! The exact calls of a request, in order. A call that returns data costs a proxy about 10,000
//! instructions, any other 1,000 to 4,000: a list that grows is a cost that every request pays.

use crate::golden;
use crate::host::{At, Fault, Script};
use crate::request::Request;
use crate::scene::{ONE_AN_HOUR, PER_CLIENT, SECOND, Scene};
use crate::service::from;
use crate::shared_data::Dialect;
use crate::status;
use crate::worker::Exchange;

fn check(case: &str, exchange: &Exchange) {
    check_trace(case, &exchange.trace);
}

/// A run of one line is written once.
pub fn check_trace(case: &str, trace: &[String]) {
    let runs = trace.chunk_by(|a, b| a == b).map(|run| match run.len() {
        1 => run[0].clone(),
        times => format!("{} ({times} times)", run[0]),
    });
    golden::check(case, &runs.collect::<Vec<_>>().join("\n"));
}

/// [`PER_CLIENT`] with these `response.headers`.
fn with_headers(headers: &str) -> String {
    PER_CLIENT.replace("[]", headers)
}

/// The third request of a client: its slot exists, nothing is new.
fn hot(case: &str, configuration: &str, request: &Request) -> Exchange {
    let mut scene = Scene::new(configuration);
    scene.admit(2, request);
    let exchange = scene.exchange(request);
    check(case, &exchange);
    exchange
}

#[test]
#[should_panic(expected = "the script has no such property")]
fn a_call_that_nothing_expects_stops_the_test() {
    let request = Request::get("/").without_property(b"source\0address");
    Scene::new(PER_CLIENT).exchange(&request);
}

#[test]
fn first_admit_of_all() {
    check(
        "admit-first-of-all",
        &Scene::new(PER_CLIENT).exchange(&Request::get("/")),
    );
}

#[test]
fn first_admit_of_all_on_kong() {
    let mut scene = Scene::on(Dialect::Kong, PER_CLIENT);
    let request = Request::get("/").from("203.0.113.7");
    check("admit-first-of-all-kong", &scene.exchange(&request));
}

#[test]
fn hot_admit() {
    hot("admit", PER_CLIENT, &Request::get("/"));
}

/// One value is read and written, as of a local limit.
#[test]
fn hot_admit_of_a_lease() {
    let mut scene = Scene::leased();
    scene.admit(2, &from(1));
    check("admit-leased", &scene.exchange(&from(1)));
}

#[test]
fn admit_with_headers() {
    hot(
        "admit-x-ratelimit",
        &with_headers(r#"["x-ratelimit"]"#),
        &Request::get("/"),
    );
    hot(
        "admit-draft-11",
        &with_headers(r#"["ietf-draft-11"]"#),
        &Request::get("/"),
    );
    let both = with_headers(r#"["x-ratelimit", "ietf-draft-11"]"#);
    hot("admit-both", &both, &Request::get("/"));
}

#[test]
fn an_upstream_that_sends_such_headers_itself() {
    let request = Request::get("/")
        .upstream_header("x-ratelimit-limit", "10")
        .upstream_header("x-ratelimit-remaining", "3")
        .upstream_header("x-ratelimit-reset", "2")
        .upstream_header("ratelimit-policy", "\"upstream\";q=10;w=60")
        .upstream_header("ratelimit", "\"upstream\";r=3;t=2");
    let both = with_headers(r#"["x-ratelimit", "ietf-draft-11"]"#);
    hot("admit-beside-upstream-headers", &both, &request);
}

#[test]
fn an_upstream_that_does_not_say_what_remains() {
    let request = Request::get("/")
        .upstream_header("x-ratelimit-limit", "10")
        .upstream_header("x-ratelimit-reset", "2");
    hot(
        "admit-beside-upstream-limit",
        &with_headers(r#"["x-ratelimit"]"#),
        &request,
    );
}

#[test]
fn refused_from_the_store() {
    let mut scene = Scene::new(ONE_AN_HOUR);
    let request = Request::get("/");
    scene.admit(1, &request);
    let (mut other, root) = scene.second_worker(ONE_AN_HOUR);
    check("refused-from-store", &other.exchange(root, &request));
}

#[test]
fn refused_from_the_cache_of_the_worker() {
    let configuration = ONE_AN_HOUR.replace("[]", r#"["x-ratelimit", "ietf-draft-11"]"#);
    let mut scene = Scene::new(&configuration);
    let request = Request::get("/");
    scene.admit(1, &request);
    assert!(!scene.exchange(&request).admitted());
    check("refused-from-cache", &scene.exchange(&request));
}

#[test]
fn refused_without_a_line_in_the_log() {
    let configuration = ONE_AN_HOUR.replacen('{', r#"{"log": {"refusals_per_second": 0}, "#, 1);
    let mut scene = Scene::new(&configuration);
    let request = Request::get("/");
    scene.admit(1, &request);
    assert!(!scene.exchange(&request).admitted());
    check("refused-unlogged", &scene.exchange(&request));
}

#[test]
fn a_grpc_caller_is_refused() {
    let mut scene = Scene::new(ONE_AN_HOUR);
    let request = Request::get("/shop.v1.Orders/List").grpc();
    scene.admit(1, &request);
    assert!(!scene.exchange(&request).admitted());
    check("refused-grpc", &scene.exchange(&request));
}

#[test]
fn no_rule_matches() {
    let configuration = r#"{"rules": [{"name": "writes", "key": ["client_ip"],
        "match": {"path": {"prefix": "/api"}, "methods": ["POST", "PUT"]},
        "limits": [{"requests": 20, "per": "1s"}]}]}"#;
    hot("no-rule-matches", configuration, &Request::get("/shop"));
}

#[test]
fn a_key_from_a_header() {
    let configuration = PER_CLIENT.replace(r#""client_ip""#, r#"{"header": "x-tenant"}"#);
    hot(
        "key-header",
        &configuration,
        &Request::get("/").header("x-tenant", "acme"),
    );
}

#[test]
fn a_key_from_x_forwarded_for() {
    let configuration = r#"{"client_ip": {"from": "x-forwarded-for", "trusted_proxies": ["10.0.0.0/8"]},
        "rules": [{"name": "per-client", "key": ["client_ip"],
        "match": {"path": {"prefix": "/api"}, "methods": ["GET"]},
        "limits": [{"requests": 20, "per": "1s", "burst": 40}]}], "response": {"headers": []}}"#;
    let request = Request::get("/api/users").header("x-forwarded-for", "203.0.113.7, 10.1.2.3");
    hot("key-x-forwarded-for", configuration, &request);
}

#[test]
fn a_key_from_the_route() {
    let configuration = PER_CLIENT.replace(r#""client_ip""#, r#""route""#);
    let request = Request::get("/").property(b"xds\0route_name", Some(b"shop"));
    hot("key-route", &configuration, &request);
}

const TWO_RULES: &str = r#"{"rules": [
    {"name": "per-client", "key": ["client_ip"], "limits": [{"requests": 20, "per": "1s"}]},
    {"name": "per-tenant", "key": [{"header": "x-tenant"}],
        "limits": [{"requests": 2, "per": "1h"}]}]}"#;

#[test]
fn two_rules() {
    let request = Request::get("/").header("x-tenant", "acme");
    let mut scene = Scene::new(TWO_RULES);
    scene.admit(1, &request);
    check("two-rules", &scene.exchange(&request));
    let (mut other, root) = scene.second_worker(TWO_RULES);
    check("two-rules-second-refuses", &other.exchange(root, &request));
}

#[test]
fn several_limits_in_one_rule() {
    let configuration = r#"{"rules": [{"name": "per-client", "key": ["client_ip"], "limits": [
        {"requests": 20, "per": "1s", "burst": 40, "name": "burst"},
        {"requests": 1000, "per": "1h", "algorithm": "fixed_window", "name": "hourly"},
        {"requests": 5000, "per": "1d", "algorithm": "sliding_window", "name": "daily"}]}],
        "response": {"headers": ["x-ratelimit", "ietf-draft-11"]}}"#;
    hot("several-limits", configuration, &Request::get("/"));
}

#[test]
fn a_missing_key_is_denied() {
    let configuration = PER_CLIENT.replace(
        r#""key": ["client_ip"]"#,
        r#""key": [{"header": "x-tenant"}], "on_missing_key": "deny""#,
    );
    check(
        "missing-key-denied",
        &Scene::new(&configuration).exchange(&Request::get("/")),
    );
}

#[test]
fn a_missing_key_is_skipped() {
    let configuration = PER_CLIENT.replace(r#""client_ip""#, r#"{"header": "x-tenant"}"#);
    check(
        "missing-key-skipped",
        &Scene::new(&configuration).exchange(&Request::get("/")),
    );
}

#[test]
fn the_kill_switch() {
    let configuration = PER_CLIENT.replacen('{', r#"{"enabled": false, "#, 1);
    check(
        "not-enabled",
        &Scene::new(&configuration).exchange(&Request::get("/")),
    );
}

#[test]
fn another_worker_is_faster_once() {
    let mut scene = Scene::new(PER_CLIENT);
    let request = Request::get("/");
    scene.admit(2, &request);
    let mismatch = (
        At::Nth("set_shared_data", 0),
        Fault::Status(status::CAS_MISMATCH),
    );
    check(
        "cas-mismatch-once",
        &scene.scripted(Script::new([mismatch]), &request),
    );
}

#[test]
fn another_worker_is_faster_for_ever() {
    let mut scene = Scene::new(PER_CLIENT);
    let request = Request::get("/");
    scene.admit(2, &request);
    let mismatch = (
        At::Every("set_shared_data"),
        Fault::Status(status::CAS_MISMATCH),
    );
    let exchange = scene.scripted(Script::new([mismatch]), &request);
    let tries = exchange.trace.iter();
    let tries = tries.filter(|line| line.contains("set_shared_data"));
    assert_eq!(tries.count(), 256);
    let reply = exchange.reply.unwrap();
    assert_eq!(
        (reply.status, reply.details.as_str()),
        (429, "weir_contended[per-client]")
    );
    scene.worker.tick(scene.root);
    assert_eq!(scene.metric("weir.store.contended"), 1);
}

#[test]
fn a_store_that_cannot_be_used() {
    const INTERNAL_FAILURE: i32 = 10;
    let broken = || {
        (
            At::Every("get_shared_data"),
            Fault::Status(INTERNAL_FAILURE),
        )
    };
    let deny = PER_CLIENT.replace(r#""key""#, r#""on_fault": "deny", "key""#);
    for (case, configuration) in [("fault-allowed", PER_CLIENT), ("fault-denied", &deny)] {
        let mut scene = Scene::new(configuration);
        let exchange = scene.scripted(Script::new([broken()]), &Request::get("/"));
        check(case, &exchange);
    }
}

#[test]
fn configuring() {
    let mut scene = Scene::new(PER_CLIENT);
    scene.worker.configure(PER_CLIENT);
    check_trace("configure-again", &scene.worker.take_trace());
    for (case, dialect) in [
        ("configure", Dialect::Envoy),
        ("configure-kong", Dialect::Kong),
    ] {
        let process = crate::process::Process::new(dialect);
        let mut worker = crate::worker::Worker::new(&process);
        assert!(worker.configure(PER_CLIENT).accepted);
        check_trace(case, &worker.take_trace());
    }
}

#[test]
fn a_bad_configuration() {
    let mut scene = Scene::new(PER_CLIENT);
    let root = scene.worker.configure(
        r#"{"rules": [{"name": "per-client", "key": ["clientip"],
            "limits": [{"requests": 20, "per": "0s"}]}]}"#,
    );
    assert!(!root.accepted);
    check_trace("configure-bad", &scene.worker.take_trace());
}

#[test]
fn ticks() {
    let mut scene = Scene::new(PER_CLIENT);
    scene.admit(2, &Request::get("/"));
    for number in 1..=10 {
        scene.process.borrow_mut().advance(SECOND);
        scene.worker.take_trace();
        scene.worker.tick(scene.root);
        match number {
            1 => check_trace("tick", &scene.worker.take_trace()),
            10 => check_trace("tick-tenth", &scene.worker.take_trace()),
            _ => assert_eq!(
                scene.worker.take_trace(),
                ["on_tick", "    clock monotonic"]
            ),
        }
    }
}
