//! The exact calls of requests that wait for the rate limit service, and of the callbacks that they wait for.

use crate::calls::check_trace;
use crate::process::Process;
use crate::request::Request;
use crate::scene::Scene;
use crate::service::{PER_REQUEST, from, gone, on_error, told};
use crate::shared_data::Dialect;
use crate::worker::Worker;

fn check(case: &str, scene: &mut Scene) {
    check_trace(case, &scene.worker.take_trace());
}

#[test]
fn configuring_a_limiter() {
    let mut scene = Scene::new(PER_REQUEST);
    scene.worker.configure(PER_REQUEST);
    check("configure-limiter", &mut scene);
}

#[test]
fn a_request_that_parks() {
    let mut scene = Scene::new(PER_REQUEST);
    scene.park(&Request::get("/"));
    check("park", &mut scene);
}

/// The second message has woken the root too, when there is nothing left to do.
#[test]
fn two_that_wait_are_asked_for_at_once() {
    let mut scene = Scene::new(PER_REQUEST);
    scene.park(&from(1));
    scene.park(&from(2));
    scene.worker.take_trace();
    scene.wake();
    check("wake-two", &mut scene);
}

/// A proxy whose calls carry a token from its environment, before it is configured.
fn with_token(token: &str) -> (Worker, String) {
    let process = Process::new(Dialect::Envoy);
    let variable = ("LIMITER_TOKEN".to_owned(), token.to_owned());
    process.borrow_mut().environment.push(variable);
    let headers = r#""proxies": 2, "headers": {
        "Authorization": {"env": "LIMITER_TOKEN"}, "x-from": "edge"}"#;
    let configuration = PER_REQUEST.replace(r#""proxies": 2"#, headers);
    (Worker::new(&process), configuration)
}

#[test]
fn a_credential_goes_into_the_call_and_nowhere_else() {
    let (mut worker, configuration) = with_token("Bearer hunter2");
    let root = worker.configure(&configuration);
    let stream = worker.open(root, &Request::get("/"));
    worker.request_headers(stream);
    assert!(!worker.take_trace().concat().contains("hunter2"));
    assert!(worker.wake());
    check_trace("wake-headers", &worker.take_trace());
}

#[test]
fn a_credential_that_is_refused_is_not_logged() {
    let (mut worker, configuration) = with_token("Bearer hunter2\n");
    assert!(!worker.configure(&configuration).accepted);
    let trace = worker.take_trace().concat();
    assert!(trace.contains("LIMITER_TOKEN") && !trace.contains("hunter2"));
}

#[test]
fn an_answer_that_resumes_one_and_refuses_the_other() {
    let shown = PER_REQUEST.replace("[]", r#"["x-ratelimit", "ietf-draft-11"]"#);
    for (case, configuration) in [("answer", PER_REQUEST), ("answer-both-headers", &shown)] {
        let mut scene = Scene::new(configuration);
        let streams = [scene.park(&from(1)), scene.park(&from(2))];
        scene.wake();
        scene.worker.take_trace();
        scene.worker.answer(scene.call(), told(&[Some(41), None]));
        assert_eq!(scene.end(&streams), [true, false]);
        check(case, &mut scene);
    }
}

#[test]
fn a_service_that_is_gone() {
    for action in ["local", "allow", "deny"] {
        let mut scene = Scene::new(&on_error(action));
        let stream = scene.park(&Request::get("/"));
        scene.wake();
        scene.worker.take_trace();
        scene.worker.answer(scene.call(), gone());
        assert_eq!(scene.end(&[stream]), [action != "deny"]);
        check(&format!("gone-{action}"), &mut scene);
    }
}

#[test]
fn a_call_that_cannot_be_begun() {
    let nowhere = PER_REQUEST.replace(
        r#""cluster": "ratelimit:8080""#,
        r#""cluster": "elsewhere""#,
    );
    let mut scene = Scene::new(&nowhere);
    let stream = scene.park(&Request::get("/"));
    scene.worker.take_trace();
    scene.wake();
    assert_eq!(scene.end(&[stream]), [true]);
    check("not-called", &mut scene);
}

/// And what the answer that comes too late does then: it takes nobody's place.
#[test]
fn requests_that_have_waited_too_long() {
    let mut scene = Scene::new(PER_REQUEST);
    let streams = [scene.park(&from(1)), scene.park(&from(2))];
    scene.wake();
    scene.worker.take_trace();
    scene.tick_late();
    assert_eq!(scene.end(&streams), [true, true]);
    check("overdue", &mut scene);
    scene
        .worker
        .answer(scene.call(), told(&[Some(41), Some(40)]));
    check("overdue-answer", &mut scene);
}

/// A request that a local rule refuses costs the service nothing.
#[test]
fn refused_before_it_waits() {
    let both = PER_REQUEST.replace(
        r#""rules": ["#,
        r#""rules": [{"name": "local", "key": ["client_ip"], "limits": [{"requests": 1, "per": "1h"}]}, "#,
    );
    let mut scene = Scene::new(&both);
    let stream = scene.park(&Request::get("/"));
    check("park-beside-local", &mut scene);
    scene.wake();
    scene.worker.take_trace();
    scene.worker.answer(scene.call(), told(&[Some(41)]));
    assert_eq!(scene.end(&[stream]), [true]);
    check("answer-beside-local", &mut scene);
    assert!(!scene.exchange(&Request::get("/")).admitted());
}
