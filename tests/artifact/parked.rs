//! Requests that wait while their clients, their root or their turn go.

use crate::request::Request;
use crate::scene::{PER_CLIENT, Scene};
use crate::service::{PER_REQUEST, from, gone, on_error, told};
use crate::status;

/// What a worker has counted of its one rule and its service.
fn counted(scene: &mut Scene) -> [i64; 6] {
    [
        "rule.per-client.allowed",
        "rule.per-client.limited",
        "rule.per-client.uncharged",
        "limiter.parked",
        "limiter.calls",
        "limiter.overdue",
    ]
    .map(|name| scene.metric(&format!("weir.{name}")))
}

#[test]
fn a_client_that_leaves_before_the_root_wakes_costs_no_call() {
    let mut scene = Scene::new(PER_REQUEST);
    let stream = scene.park(&from(1));
    scene.worker.close(stream);
    scene.wake();
    assert!(scene.calls().is_empty());
    assert_eq!(counted(&mut scene), [0, 0, 0, 1, 0, 0]);
}

#[test]
fn a_client_that_leaves_takes_nobody_else_s_answer_along() {
    for gone in 0..3 {
        let mut scene = Scene::new(PER_REQUEST);
        let mut streams: Vec<_> = (0..3).map(|client| scene.park(&from(client))).collect();
        scene.wake();
        scene.worker.close(streams.remove(gone));
        let mut answers = [Some(7), None, Some(6)];
        scene.worker.answer(scene.call(), told(&answers));
        answers[gone..].rotate_left(1);
        let expected = answers[..2].iter().map(Option::is_some);
        assert_eq!(scene.end(&streams), expected.collect::<Vec<_>>());
        let granted = if gone == 1 { [2, 0] } else { [1, 1] };
        assert_eq!(counted(&mut scene)[..2], granted);
    }
}

/// As it is between the end of a stream and the callback that tells of it.
#[test]
fn a_stream_that_the_host_knows_no_more_is_not_counted() {
    let mut scene = Scene::new(PER_REQUEST);
    let streams = [scene.park(&from(1)), scene.park(&from(2))];
    scene.wake();
    scene.worker.forget(streams[0]);
    scene.worker.answer(scene.call(), told(&[Some(7), Some(6)]));
    assert_eq!(scene.end(&streams[1..]), [true]);
    assert_eq!(counted(&mut scene), [1, 0, 0, 2, 1, 0]);
    let refused = format!(
        "stream {} -> {}",
        streams[0],
        status::name(status::BAD_ARGUMENT)
    );
    let trace = scene.worker.take_trace();
    assert!(trace.iter().any(|line| line.ends_with(&refused)));
}

/// The proxy answers by itself when a route's time is up.
#[test]
fn a_parked_request_that_the_proxy_answers() {
    let mut scene = Scene::new(&PER_REQUEST.replace("[]", r#"["x-ratelimit"]"#));
    let stream = scene.park(&Request::get("/"));
    scene.wake();
    assert_eq!(scene.worker.response_headers(stream), 0);
    let end = scene.worker.close(stream);
    assert_eq!(end.response.text("x-ratelimit-limit"), "");
    scene.worker.answer(scene.call(), told(&[Some(7)]));
    assert_eq!(counted(&mut scene), [0, 0, 0, 1, 1, 0]);
}

#[test]
fn the_last_client_that_leaves_slows_the_ticks_down() {
    let mut scene = Scene::new(PER_REQUEST);
    let stream = scene.park(&from(1));
    scene.wake();
    assert_eq!(scene.worker.host().tick_periods[&scene.root.id], 10);
    scene.worker.close(stream);
    scene.worker.answer(scene.call(), gone());
    scene.worker.tick(scene.root);
    assert_eq!(scene.worker.host().tick_periods[&scene.root.id], 1_000);
}

/// A root outlives its streams on Envoy. Should one not, its answers come to nobody.
#[test]
fn a_root_that_goes_while_requests_wait() {
    let mut scene = Scene::new(PER_REQUEST);
    let streams = [scene.park(&from(1)), scene.park(&from(2))];
    scene.worker.wake();
    let other = scene.worker.accept(PER_CLIENT);
    scene.worker.delete(scene.root.id);
    scene.wake();
    scene.worker.answer(scene.call(), told(&[Some(7), Some(6)]));
    scene.tick_late();
    for stream in streams {
        scene.worker.close(stream);
    }
    scene.root = other;
    scene.admit(40, &Request::get("/"));
    assert!(!scene.exchange(&Request::get("/")).admitted());
}

/// Configurations change while requests wait: each is answered by the one that parked it.
#[test]
fn an_old_root_answers_for_those_who_wait() {
    let mut scene = Scene::new(&on_error("deny"));
    let before = scene.park(&from(1));
    let old = scene.root;
    scene.root = scene.worker.accept(PER_REQUEST);
    let after = scene.park(&from(1));
    scene.wake();
    let calls = scene.calls();
    assert_eq!(calls.len(), 2);
    scene.worker.answer(calls[1], gone());
    assert!(scene.waits(before));
    assert_eq!(scene.end(&[after]), [true]);
    scene.worker.answer(calls[0], gone());
    assert_eq!(scene.end(&[before]), [false]);
    scene.worker.delete(old.id);
    let another = scene.park(&from(1));
    scene.wake();
    scene.worker.answer(scene.call(), told(&[Some(7)]));
    assert_eq!(scene.end(&[another]), [true]);
}

/// Three times as many as may wait, several times over, while the service answers nothing.
#[test]
fn a_flood_beyond_what_may_wait() {
    const FLOOD: usize = 3_000;
    const MAX_PARKED: usize = 1_024;
    let mut scene = Scene::new(&on_error("deny"));
    let mut memory = Vec::new();
    for round in 1..=5 {
        let streams: Vec<_> = (0..FLOOD)
            .map(|client| {
                let stream = scene.worker.open(scene.root, &from(client));
                scene.worker.request_headers(stream);
                stream
            })
            .collect();
        let waiting = streams.iter().filter(|stream| scene.waits(**stream));
        assert_eq!(waiting.count(), MAX_PARKED);
        scene.wake();
        assert_eq!(scene.calls().len(), 4);
        scene.tick_late();
        scene.wake();
        assert_eq!(scene.end(&streams), [false; FLOOD]);
        for call in scene.calls() {
            scene.worker.answer(call, gone());
        }
        scene.close_breaker();
        let rounds = i64::from(round);
        assert_eq!(
            counted(&mut scene),
            [0, 0, 0, 1_024 * rounds, 4 * rounds, 1_024 * rounds]
        );
        assert_eq!(scene.metric("weir.rule.per-client.errors"), 3_000 * rounds);
        memory.push(scene.worker.memory());
        scene.worker.take_trace();
    }
    println!("{memory:?} bytes");
    assert_eq!(memory[1], memory[4]);
}

/// However requests come together, each is one debit, and who is refused is not asked for again.
#[test]
fn every_request_is_asked_for_once() {
    let mut scene = Scene::new(PER_REQUEST);
    let mut left = 100_u32;
    let mut asked = 0;
    for round in 0..60 {
        let streams: Vec<_> = (0..=round % 5)
            .map(|_| {
                let stream = scene.worker.open(scene.root, &from(1));
                scene.worker.request_headers(stream);
                stream
            })
            .collect();
        let waiting = streams.iter().filter(|stream| scene.waits(**stream));
        let waiting = waiting.count();
        scene.wake();
        for call in scene.calls() {
            let body = &scene.worker.host().http_calls.under_way[&call].body;
            assert_eq!(body.matches(r#""hitsAddend":1"#).count(), waiting);
            let debit = |_| left.checked_sub(1).inspect(|rest| left = *rest);
            let answers: Vec<_> = (0..waiting).map(debit).collect();
            scene.worker.answer(call, told(&answers));
        }
        asked += waiting;
        scene.end(&streams);
    }
    assert!((100..=105).contains(&asked), "{asked}");
    let [allowed, limited, uncharged, parked, ..] = counted(&mut scene);
    assert_eq!((allowed, limited, uncharged), (100, 80, 0));
    assert_eq!(usize::try_from(parked), Ok(asked));
}

#[test]
fn no_request_that_waited_leaves_memory_behind() {
    let mut scene = Scene::new(&PER_REQUEST.replace("[]", r#"["x-ratelimit", "ietf-draft-11"]"#));
    let mut run = |clients: std::ops::Range<usize>| {
        for client in clients {
            let streams = [
                scene.park(&from(2 * client)),
                scene.park(&from(2 * client + 1)),
            ];
            scene.wake();
            scene.worker.answer(scene.call(), told(&[Some(7), None]));
            assert_eq!(scene.end(&streams), [true, false]);
            scene.worker.take_trace();
        }
        scene.worker.memory()
    };
    // The memory of refusals has no place left by then.
    let before = run(0..15_000);
    assert_eq!(run(15_000..20_000), before);
}
