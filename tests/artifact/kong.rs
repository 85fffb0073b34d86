//! Requests that wait on Kong, where each asks the service for itself and the root fills pots on its ticks.

use crate::calls::check_trace;
use crate::http_calls::CallAnswer;
use crate::process::Process;
use crate::request::Request;
use crate::scene::{ONE_AN_HOUR, SECOND, Scene};
use crate::service::{LEASED, PER_REQUEST, from, gone, on_error, told};
use crate::shared_data::Dialect;
use crate::worker::Worker;

fn scene(configuration: &str) -> Scene {
    Scene::on(Dialect::Kong, configuration)
}

/// What the calls under way are for, and how long they may take, in milliseconds.
fn calls(scene: &Scene) -> Vec<(Option<u32>, u32)> {
    let under_way = &scene.worker.host().http_calls.under_way;
    let calls = under_way.values().map(|call| (call.stream, call.timeout));
    calls.collect()
}

/// A request that waits, and what became of it.
fn answered(scene: &mut Scene, request: &Request, answer: CallAnswer) -> bool {
    let stream = scene.park(request);
    let under_way = &scene.worker.host().http_calls.under_way;
    let own = under_way
        .iter()
        .find(|(_, call)| call.stream == Some(stream));
    let call = *own.unwrap().0;
    scene.worker.answer(call, answer);
    scene.end(&[stream])[0]
}

#[test]
fn a_request_asks_for_itself_and_waits_no_longer_than_it_may() {
    let mut scene = scene(PER_REQUEST);
    let streams = [scene.park(&from(1)), scene.park(&from(2))];
    check_trace("kong-park", &scene.worker.take_trace());
    assert_eq!(
        calls(&scene),
        [(Some(streams[0]), 250), (Some(streams[1]), 250)]
    );
    for (call, answer) in scene.calls().into_iter().zip([Some(41), None]) {
        scene.worker.answer(call, told(&[answer]));
    }
    check_trace("kong-answer", &scene.worker.take_trace());
    assert_eq!(scene.end(&streams), [true, false]);
    assert_eq!(scene.metric("weir.limiter.parked"), 2);
    assert_eq!(scene.metric("weir.limiter.calls"), 2);
}

#[test]
fn a_request_that_nobody_answers_is_decided_about_without() {
    for (action, passes) in [("local", true), ("allow", true), ("deny", false)] {
        let mut scene = scene(&on_error(action));
        let failed = CallAnswer::failed("timeout");
        assert_eq!(answered(&mut scene, &from(1), failed), passes);
        let failed = CallAnswer::failed("broken connection");
        assert_eq!(answered(&mut scene, &from(2), failed), passes);
        assert_eq!(scene.metric("weir.limiter.errors.timeout"), 1);
        assert_eq!(scene.metric("weir.limiter.errors.unreachable"), 1);
    }
}

/// No time-out of a call counts what looking a name up takes.
#[test]
fn an_answer_that_comes_very_late_decides_all_the_same() {
    let mut scene = scene(&on_error("deny"));
    let streams = [scene.park(&from(1)), scene.park(&from(2))];
    let calls = scene.calls();
    scene.process.borrow_mut().advance(30 * SECOND);
    scene.park(&from(3));
    scene.worker.answer(calls[0], CallAnswer::failed("timeout"));
    scene.worker.answer(calls[1], told(&[Some(41)]));
    assert_eq!(scene.end(&streams), [false, true]);
}

/// Kong's host stops the instance at a port that is none.
#[test]
fn a_service_without_an_address_is_not_called() {
    let nowhere = PER_REQUEST.replace(r#""ratelimit:8080", "p"#, r#""ratelimit:http", "p"#);
    let mut scene = scene(&nowhere);
    assert!(scene.exchange(&from(1)).admitted());
    let told = |(_, line): &&(u32, String)| line.contains("host:port");
    assert_eq!(scene.worker.host().log.iter().filter(told).count(), 1);
}

/// The first is asked for by itself; a tick debits ahead for those who come later, and none of them waits.
#[test]
fn ticks_take_leases() {
    let mut scene = scene(LEASED);
    assert!(answered(&mut scene, &from(1), told(&[Some(9_000)])));
    assert!(
        scene.calls().is_empty(),
        "an answer to a stream begins no call"
    );
    scene.process.borrow_mut().advance(10_000_000);
    scene.worker.tick(scene.root);
    assert_eq!(calls(&scene), [(None, 250)]);
    scene.worker.answer(scene.call(), told(&[Some(8_000)]));
    scene.admit(1, &from(1));
    assert!(scene.metric("weir.limiter.leased") >= 1);
    assert_eq!(scene.metric("weir.limiter.parked"), 1);
}

/// Kong's host keeps what a root's call holds for as long as another is under way.
#[test]
fn a_root_has_one_call_under_way() {
    let mut scene = scene(LEASED);
    for client in 1..=2 {
        assert!(answered(&mut scene, &from(client), told(&[Some(9_000)])));
        scene.process.borrow_mut().advance(10_000_000);
        scene.worker.tick(scene.root);
        assert_eq!(calls(&scene).len(), 1, "{client}");
        scene.process.borrow_mut().advance(10_000_000);
    }
}

/// What one worker was told holds for the others, without another call.
#[test]
fn a_refusal_is_known_to_all_workers() {
    let mut scene = scene(LEASED);
    assert!(!answered(&mut scene, &from(1), told(&[None])));
    let (mut other, root) = scene.second_worker(LEASED);
    assert!(!other.exchange(root, &from(1)).admitted());
    assert!(other.host().http_calls.under_way.is_empty());
}

/// The service is left alone after five failures, and looked for by the root, on no request.
#[test]
fn no_request_probes() {
    let mut scene = scene(PER_REQUEST);
    for client in 1..=5 {
        assert!(answered(
            &mut scene,
            &from(client),
            CallAnswer::failed("timeout")
        ));
    }
    assert!(scene.exchange(&from(6)).admitted());
    assert!(scene.calls().is_empty());
    scene.process.borrow_mut().advance(400_000_000);
    assert!(scene.exchange(&from(7)).admitted());
    scene.worker.tick(scene.root);
    assert_eq!(calls(&scene), [(None, 250)]);
    scene.worker.answer(scene.call(), told(&[Some(41)]));
    assert!(answered(&mut scene, &from(8), told(&[Some(40)])));
}

/// Kong's host neither appends the peer to X-Forwarded-For nor changes the case of names.
#[test]
fn a_client_does_not_write_its_own_address() {
    let configuration = ONE_AN_HOUR.replace(
        r#"{"rules""#,
        r#"{"client_ip": {"from": "x-forwarded-for", "trusted_proxies": ["10.0.0.0/8"]}, "rules""#,
    );
    let mut scene = scene(&configuration);
    let request = |peer: &str, client: &str| {
        let request = Request::get("/").from(peer);
        request.header("X-Forwarded-For", client)
    };
    scene.admit(1, &request("192.0.2.1:80", "203.0.113.1"));
    assert!(
        !scene
            .exchange(&request("192.0.2.1:80", "203.0.113.2"))
            .admitted()
    );
    scene.admit(1, &request("10.0.0.1:80", "203.0.113.1"));
    scene.admit(1, &request("10.0.0.1:80", "203.0.113.2"));
    assert!(
        !scene
            .exchange(&request("10.0.0.1:80", "203.0.113.1"))
            .admitted()
    );
}

/// Kong's host writes beyond the block that it asked for where it is asked for more, and hides those beyond a hundred.
#[test]
fn more_headers_than_can_be_read_are_refused_where_a_rule_reads_them() {
    let by_tenant = ONE_AN_HOUR.replace(r#""client_ip""#, r#"{"header": "x-tenant"}"#);
    let crowded = |fillers: usize| {
        let request = Request::get("/").header("x-tenant", "acme");
        (0..fillers).fold(request, |request, _| request.header("x-filler", "a"))
    };
    let mut scene = scene(&by_tenant);
    scene.admit(1, &crowded(60));
    let refused = scene.exchange(&crowded(100));
    assert_eq!(refused.reply.unwrap().status, 431);
    assert!(!refused.trace.concat().contains("get_header_map_pairs"));
    // Nobody reads them here.
    scene = self::scene(ONE_AN_HOUR);
    scene.admit(1, &crowded(100));
}

/// Kong's host loses a reply with a body that follows an answer without one.
#[test]
fn a_refusal_after_an_empty_answer_has_no_body() {
    let mut scene = scene(&on_error("deny"));
    for (answer, has_body) in [(CallAnswer::failed("timeout"), false), (gone(), true)] {
        let stream = scene.park(&from(1));
        let call = scene.call();
        scene.worker.answer(call, answer);
        scene.worker.response_headers(stream);
        let reply = scene.worker.close(stream).reply.unwrap();
        assert_eq!((reply.status, reply.body.is_empty()), (503, !has_body));
    }
}

#[test]
fn an_empty_list_may_have_been_written_by_lua() {
    let configuration = ONE_AN_HOUR.replace(r#""headers": []"#, r#""headers": {}"#);
    for (dialect, is_accepted) in [(Dialect::Kong, true), (Dialect::Envoy, false)] {
        let mut worker = Worker::new(&Process::new(dialect));
        assert_eq!(worker.configure(&configuration).accepted, is_accepted);
    }
}

/// What keeps an Envoy in front from retrying is Envoy's own: on Kong a document has to ask for it.
#[test]
fn a_refusal_says_to_envoys_that_it_is_one() {
    let asks = ONE_AN_HOUR.replace(
        r#""headers": []"#,
        r#""headers": [], "envoy_ratelimited": true"#,
    );
    for (dialect, configuration, expected) in [
        (Dialect::Envoy, ONE_AN_HOUR, true),
        (Dialect::Kong, ONE_AN_HOUR, false),
        (Dialect::Kong, &asks, true),
    ] {
        let mut scene = Scene::on(dialect, configuration);
        scene.admit(1, &from(1));
        let headers = scene.exchange(&from(1)).reply.unwrap().headers;
        let mut names = headers.0.iter().map(|(name, _)| &name[..]);
        assert_eq!(names.any(|name| name == b"x-envoy-ratelimited"), expected);
    }
}
