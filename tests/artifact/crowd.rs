//! More requests at once than one callback may settle. The model of the host refuses a callback that settles more.

use crate::host::{At, Fault, Script};
use crate::request::Request;
use crate::scene::Scene;
use crate::service::{LEASED, PER_REQUEST, from, gone, on_error, told};

/// Nearly as many as may wait in a worker, or be the first of a key in a second.
const CROWD: usize = 960;

const MOST_SETTLED: usize = 64;

impl Scene {
    /// Streams that wait, all of one client.
    fn crowd(&mut self, request: &Request) -> Vec<u32> {
        let streams = (0..CROWD).map(|_| self.park(request)).collect();
        self.wake_once();
        streams
    }

    fn wake_once(&mut self) {
        assert!(self.worker.wake(), "nobody wakes the root for the others");
    }

    /// Wakes the root until nobody of a crowd waits, and tells how often. Whoever came first is settled first.
    fn settle(&mut self, streams: &[u32]) -> usize {
        let mut callbacks = 1;
        loop {
            let waiting = streams.iter().filter(|stream| self.waits(**stream)).count();
            let settled = streams.len() - waiting;
            assert!(streams[..settled].iter().all(|stream| !self.waits(*stream)));
            if waiting == 0 {
                return callbacks;
            }
            self.worker.take_trace();
            self.wake_once();
            callbacks += 1;
        }
    }
}

#[test]
fn one_answer_for_all_is_carried_out_batch_by_batch() {
    for (answer, admitted) in [
        (told(&[Some(9_000)]), CROWD),
        (told(&[None]), 0),
        (gone(), 0),
    ] {
        let mut scene =
            Scene::new(&LEASED.replace(r#""proxies""#, r#""on_error": "deny", "proxies""#));
        let streams = scene.crowd(&from(1));
        // What is taken ahead for a new key is less than all need.
        let answered = scene.call();
        scene.worker.answer(answered, answer);
        let mut settled = vec![];
        while settled.len() < CROWD {
            let is_settled = |stream: &&u32| !scene.waits(**stream);
            settled = streams.iter().filter(is_settled).copied().collect();
            assert!(streams.starts_with(&settled));
            if !scene.worker.wake()
                && let Some(call) = scene.calls().first()
            {
                scene.worker.answer(*call, told(&[Some(8_000)]));
            }
            scene.worker.take_trace();
        }
        let ended = scene.end(&streams);
        let passed = ended.iter().filter(|passed| **passed).count();
        assert_eq!(passed, admitted);
    }
}

#[test]
fn an_open_breaker_releases_everybody_batch_by_batch() {
    let mut scene = Scene::new(&on_error("allow"));
    let streams = scene.crowd(&from(1));
    // The calls of this crowd fail, and those that follow, until the breaker opens.
    while let Some(call) = scene.calls().first() {
        scene.worker.answer(*call, gone());
        while scene.worker.wake() {}
        scene.worker.take_trace();
    }
    assert_eq!(scene.end(&streams), [true; CROWD]);
    assert_eq!(scene.metric("weir.rule.per-client.allowed"), 0);
    assert_eq!(scene.metric("weir.rule.per-client.uncharged"), 960);
}

#[test]
fn a_tick_releases_all_that_wait_for_too_long() {
    let mut scene = Scene::new(PER_REQUEST);
    let streams = scene.crowd(&from(1));
    scene.tick_late();
    assert_eq!(scene.settle(&streams), CROWD / MOST_SETTLED);
}

#[test]
fn ticks_go_on_where_the_root_cannot_be_woken() {
    let mut scene = Scene::new(PER_REQUEST);
    let streams = scene.crowd(&from(1));
    let fault = (At::Every("enqueue_shared_queue"), Fault::Status(10));
    scene.worker.script(Script::new([fault]));
    for batch in 1..=CROWD / MOST_SETTLED {
        scene.tick_late();
        let waiting = streams.iter().filter(|stream| scene.waits(**stream));
        assert_eq!(waiting.count(), CROWD - batch * MOST_SETTLED);
    }
}

/// The configuration before goes on until it has settled them all, beside the one that took its place.
#[test]
fn a_root_that_is_configured_again_releases_everybody_batch_by_batch() {
    let mut scene = Scene::new(&PER_REQUEST.replace("[]", r#"["x-ratelimit"]"#));
    let streams = scene.crowd(&from(1));
    let late = scene.calls();
    let again = scene.worker.configure_root(scene.root.id, PER_REQUEST);
    assert!(again.accepted);
    let new = scene.park(&from(2));
    assert_eq!(scene.settle(&streams), CROWD / MOST_SETTLED);
    // Its share admits half of a hundred, and says so.
    let first = scene.worker.response_headers(streams[0]);
    assert_eq!(first, 0);
    let end = scene.worker.close(streams[0]);
    assert_eq!(end.response.text("x-ratelimit-limit"), "100");
    let ended = scene.end(&streams[1..]);
    assert_eq!(ended.iter().filter(|passed| **passed).count(), 49);
    // Answers to its calls are nobody's.
    for call in late {
        scene.worker.answer(call, told(&[Some(7); MOST_SETTLED]));
    }
    scene.wake();
    assert!(scene.waits(new));
    let call = *scene.calls().last().unwrap();
    scene.worker.answer(call, told(&[Some(7)]));
    assert_eq!(scene.end(&[new]), [true]);
}

#[test]
fn clients_that_leave_between_two_batches_make_nobody_wait_for_ever() {
    let mut scene = Scene::new(PER_REQUEST);
    let mut streams = scene.crowd(&from(1));
    scene.tick_late();
    for at in [900, 500, 65, 64, 3] {
        scene.worker.close(streams.remove(at));
    }
    while scene.worker.wake() {}
    assert!(streams.iter().all(|stream| !scene.waits(*stream)));
}

/// Each configuration of a plugin that is replaced leaves its queue to the next one.
#[test]
fn a_thousand_reloads_need_no_more_queues_than_drain_at_once() {
    let mut scene = Scene::new(PER_REQUEST);
    for reload in 0..1_000 {
        let stream = scene.park(&from(reload));
        scene.wake();
        let old = scene.root;
        scene.root = scene.worker.accept(PER_REQUEST);
        let other = scene.park(&from(reload));
        scene.wake();
        for call in scene.calls() {
            scene.worker.answer(call, told(&[Some(7)]));
        }
        assert_eq!(scene.end(&[stream, other]), [true, true]);
        scene.worker.delete(old.id);
    }
    assert_eq!(scene.process.borrow().queue_names.len(), 2);
}
