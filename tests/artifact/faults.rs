//! Every hostcall of a request, failing in every way. The module never traps, and what it cannot
//! charge it admits and counts, or refuses, as the rule says.

use crate::host::{At, Fault, Script};
use crate::request::Request;
use crate::scene::{PER_CLIENT, SECOND, Scene};
use crate::shared_data::Dialect;
use crate::worker::Exchange;

/// The statuses of the ABI and some that it does not list.
pub const STATUSES: [i32; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 77, -1, i32::MIN];

const KEYED_BY_EVERYTHING: &str = r#"{"rules": [
    {"name": "per-client", "key": ["client_ip"], "limits": [
        {"requests": 20, "per": "1s", "name": "burst"},
        {"requests": 1000, "per": "1h", "algorithm": "fixed_window", "name": "hourly"}]},
    {"name": "per-tenant", "key": [{"header": "x-tenant"}, "route"],
        "match": {"path": {"prefix": "/"}, "methods": ["GET"]},
        "limits": [{"requests": 2, "per": "1m", "algorithm": "sliding_window"}]}],
    "response": {"headers": ["x-ratelimit", "ietf-draft-11"], "reset": "epoch"}}"#;

fn everything() -> Request {
    Request::get("/orders")
        .header("x-tenant", "acme")
        .property(b"xds\0route_name", Some(b"orders"))
        .upstream_header("x-ratelimit-limit", "10")
        .upstream_header("ratelimit", "\"upstream\";r=3;t=2")
}

/// One exchange under a fault, and what it left behind.
struct Felt<'a> {
    case: String,
    exchange: &'a Exchange,
    /// Values written to shared data.
    writes: u64,
    /// Growth of `weir.rule.per-client.uncharged`.
    uncharged: i64,
}

impl Felt<'_> {
    fn called(&self, beginning: &str) -> bool {
        self.exchange
            .trace
            .iter()
            .any(|line| line.trim_start().starts_with(beginning))
    }

    /// The key could not be read, so that there was nothing to charge.
    fn keyless(&self) -> bool {
        self.called("get_property source.address -> ") && !self.called("get_shared_data")
    }
}

impl std::fmt::Display for Felt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}", self.case, self.exchange.trace.join("\n"))
    }
}

/// Runs `check` on the exchange with each status at each call of a request.
///
/// Before each, a day passes, so that every bucket is full and nothing cached is still true.
fn each_call_failing(scene: &mut Scene, request: &Request, mut check: impl FnMut(&Felt<'_>)) {
    scene.worker.script(Script::default());
    scene.exchange(request);
    let calls = scene.worker.host().script.calls();
    let dialect = scene.process.borrow().dialect();
    assert!(calls > 0);
    for position in 0..=calls {
        for status in STATUSES {
            scene.process.borrow_mut().advance(86_400 * SECOND);
            let writes = scene.process.borrow().shared_data.writes();
            let uncharged = scene.metric("weir.rule.per-client.uncharged");
            let fault = (At::Position(position), Fault::Status(status));
            let exchange = scene.scripted(Script::new([fault]), request);
            let written = scene.process.borrow().shared_data.writes();
            check(&Felt {
                case: format!("{dialect:?}, status {status} at call {position}"),
                exchange: &exchange,
                writes: written - writes,
                uncharged: scene.metric("weir.rule.per-client.uncharged") - uncharged,
            });
        }
    }
}

#[test]
fn a_rule_that_allows_on_faults_never_refuses_and_counts_what_it_did_not_charge() {
    for dialect in [Dialect::Envoy, Dialect::Kong] {
        let mut scene = Scene::on(dialect, PER_CLIENT);
        each_call_failing(&mut scene, &Request::get("/"), |felt| {
            assert!(felt.exchange.admitted(), "refused: {felt}");
            let accounted = felt.writes > 0 || felt.uncharged == 1 || felt.keyless();
            assert!(accounted, "neither charged nor counted: {felt}");
        });
        assert!(
            scene.metric("weir.rule.per-client.uncharged") > 0,
            "no fault was felt"
        );
        let errors = scene.metric("weir.rule.per-client.errors");
        assert!(errors >= scene.metric("weir.rule.per-client.uncharged"));
    }
}

#[test]
fn a_rule_that_denies_on_faults_admits_nothing_uncharged() {
    let configuration = PER_CLIENT.replace(
        r#""key""#,
        r#""on_fault": "deny", "on_missing_key": "deny", "key""#,
    );
    for dialect in [Dialect::Envoy, Dialect::Kong] {
        let mut scene = Scene::on(dialect, &configuration);
        let mut refused = 0;
        each_call_failing(&mut scene, &Request::get("/"), |felt| {
            assert!(
                felt.writes > 0 || !felt.exchange.admitted(),
                "uncharged: {felt}"
            );
            refused += u32::from(!felt.exchange.admitted());
        });
        assert!(refused > 0, "{dialect:?}: no fault was felt");
        assert_eq!(scene.metric("weir.rule.per-client.uncharged"), 0);
    }
}

#[test]
fn no_fault_traps_whatever_is_configured() {
    for dialect in [Dialect::Envoy, Dialect::Kong] {
        let mut scene = Scene::on(dialect, KEYED_BY_EVERYTHING);
        each_call_failing(&mut scene, &everything(), |_| ());
        let missing = PER_CLIENT.replace(r#""client_ip""#, r#"{"cookie": "sid"}"#);
        let mut scene = Scene::on(dialect, &missing);
        each_call_failing(&mut scene, &everything(), |_| ());
    }
}

#[test]
fn no_fault_on_a_refusal_lets_the_request_through() {
    let none = PER_CLIENT.replace(r#"20, "per": "1s", "burst": 40"#, r#"0, "per": "1h""#);
    for configuration in [
        &none,
        &none.replace("[]", r#"["x-ratelimit", "ietf-draft-11"]"#),
    ] {
        let mut scene = Scene::new(configuration);
        each_call_failing(&mut scene, &Request::get("/").grpc(), |felt| {
            let explained =
                felt.uncharged == 1 || felt.called("send_local_response") || felt.keyless();
            assert!(
                !felt.exchange.admitted() || explained,
                "let through: {felt}"
            );
        });
    }
}

#[test]
fn no_fault_while_configuring_or_ticking_traps() {
    for dialect in [Dialect::Envoy, Dialect::Kong] {
        for position in 0..24 {
            for status in STATUSES {
                let mut scene = Scene::on(dialect, PER_CLIENT);
                let fault = (At::Position(position), Fault::Status(status));
                scene.worker.script(Script::new([fault]));
                let other = PER_CLIENT.replace("per-client", "another");
                let root = scene.worker.configure(&other);
                scene.worker.tick(root);
                scene.worker.tick(scene.root);
                scene.worker.script(Script::default());
                scene.worker.exchange(root, &Request::get("/"));
                assert!(scene.exchange(&Request::get("/")).admitted());
            }
        }
    }
}

/// Faults at the very first configuration: what the VM learns once (dialect, seed, metrics) must be
/// learnt later, or lived without.
#[test]
fn a_first_configuration_under_faults_still_limits() {
    let configuration = PER_CLIENT
        .replace(r#""burst": 40"#, r#""burst": 5"#)
        .replace("1s", "1h");
    for dialect in [Dialect::Envoy, Dialect::Kong] {
        for position in 0..20 {
            for status in [1, 2, 7, 8, 10, 77] {
                limits_after_a_faulty_start(dialect, &configuration, position, status);
            }
        }
    }
}

fn limits_after_a_faulty_start(
    dialect: Dialect,
    configuration: &str,
    position: usize,
    status: i32,
) {
    let process = crate::process::Process::new(dialect);
    let mut worker = crate::worker::Worker::new(&process);
    worker.script(Script::new([(
        At::Position(position),
        Fault::Status(status),
    )]));
    let mut root = worker.configure(configuration);
    worker.script(Script::default());
    if !root.accepted {
        root = worker.configure_root(root.id, configuration);
    }
    assert!(root.accepted);
    worker.tick(root);
    let count = (0..20)
        .filter(|_| worker.exchange(root, &Request::get("/")).admitted())
        .count();
    worker.tick(root);
    let uncharged = process
        .borrow()
        .metrics
        .value("weir.rule.per-client.uncharged");
    assert_eq!(
        i64::try_from(count).unwrap() - uncharged,
        5,
        "{dialect:?}, status {status} at call {position} of the first configuration"
    );
}

#[test]
fn a_fault_that_lasts_is_logged_once_a_minute_with_how_many_were_left_out() {
    let mut scene = Scene::new(PER_CLIENT);
    let fault = (At::Every("get_shared_data"), Fault::Status(10));
    scene.worker.script(Script::new([fault]));
    let mut logged = Vec::new();
    for wait in [0, 0, 59, 1, 60] {
        scene.process.borrow_mut().advance(wait * SECOND);
        let before = scene.worker.host().log.len();
        scene.exchange(&Request::get("/"));
        logged.push(scene.worker.host().log.len() - before);
    }
    assert_eq!(logged, [1, 0, 0, 1, 1]);
    let lines = scene.worker.host().log.iter();
    let lines: Vec<_> = lines.map(|(_, line)| line.as_str()).collect();
    assert!(
        lines[1].ends_with("; 2 more since the last such line"),
        "{lines:?}"
    );
}
