//! What could leave a request waiting for ever, or let one pass that nobody counted.

use crate::host::{At, Fault, Script};
use crate::request::Request;
use crate::scene::Scene;
use crate::service::{PER_REQUEST, from, on_error, told};

fn by_tenant(action: &str) -> String {
    on_error(action).replace(r#""client_ip""#, r#"{"header": "x-tenant"}"#)
}

fn unreadable(scene: &mut Scene) -> u32 {
    let fault = (At::Nth("get_header_map_pairs", 0), Fault::Status(10));
    scene.worker.script(Script::new([fault]));
    let stream = scene.worker.open(scene.root, &Request::get("/"));
    scene.worker.request_headers(stream);
    scene.worker.script(Script::default());
    stream
}

#[test]
fn a_request_of_which_nothing_can_be_asked_does_not_wait() {
    let mut scene = Scene::new(&by_tenant("deny"));
    let stream = unreadable(&mut scene);
    assert!(!scene.waits(stream));
}

#[test]
fn a_request_of_which_nothing_was_asked_is_counted_as_uncharged() {
    let mut scene = Scene::new(&by_tenant("deny"));
    let stream = unreadable(&mut scene);
    let other = scene.park(&Request::get("/").header("x-tenant", "acme"));
    scene.wake();
    scene.worker.answer(scene.call(), told(&[Some(7)]));
    assert_eq!(scene.end(&[stream, other]), [true, true]);
    assert_eq!(scene.metric("weir.rule.per-client.uncharged"), 1);
}

#[test]
fn what_the_service_refuses_stays_refused_without_a_clock() {
    let mut scene = Scene::new(&on_error("deny"));
    let stream = scene.park(&from(1));
    scene.wake();
    let fault = (At::Nth("clock", 0), Fault::Status(10));
    scene.worker.script(Script::new([fault]));
    scene.worker.answer(scene.call(), told(&[None]));
    assert_eq!(scene.end(&[stream]), [false]);
}

#[test]
fn a_root_that_is_configured_again_leaves_nobody_waiting() {
    let mut scene = Scene::new(PER_REQUEST);
    let stream = scene.park(&from(1));
    scene.wake();
    let call = scene.call();
    assert!(
        scene
            .worker
            .configure_root(scene.root.id, PER_REQUEST)
            .accepted
    );
    scene.worker.answer(call, told(&[Some(7)]));
    scene.tick_late();
    assert!(!scene.waits(stream));
}

#[test]
fn a_wake_up_that_is_lost_leaves_nobody_waiting() {
    let mut scene = Scene::new(PER_REQUEST);
    let stream = scene.park(&from(1));
    (0..200).for_each(|_| scene.tick_late());
    assert!(!scene.waits(stream));
}

#[test]
fn who_was_answered_by_the_proxy_is_not_resumed() {
    let mut scene = Scene::new(PER_REQUEST);
    let stream = scene.park(&from(1));
    scene.wake();
    scene.worker.response_headers(stream);
    scene.worker.answer(scene.call(), told(&[Some(7)]));
    assert_eq!(scene.metric("weir.rule.per-client.allowed"), 0);
}

#[test]
fn one_wake_up_is_enough_for_all_who_come_before_it() {
    let mut scene = Scene::new(PER_REQUEST);
    scene.park(&from(1));
    scene.park(&from(2));
    let enqueued = |line: &&String| line.contains("enqueue_shared_queue (0 B)");
    let trace = scene.worker.take_trace();
    assert_eq!(trace.iter().filter(enqueued).count(), 1);
}
