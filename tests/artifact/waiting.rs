//! The exact calls of requests that wait for the rate limit service, and of the callbacks that they wait for.

use crate::calls::check_trace;
use crate::request::Request;
use crate::scene::Scene;
use crate::service::{PER_REQUEST, from, gone, on_error, told};

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
    let nowhere = PER_REQUEST.replace(r#""cluster": "ratelimit""#, r#""cluster": "elsewhere""#);
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
