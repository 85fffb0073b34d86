//! Callbacks in the orders that hosts have been seen to use, and in some that they have not.

use crate::process::Process;
use crate::request::Request;
use crate::scene::{ONE_AN_HOUR, PER_CLIENT, SECOND, Scene};
use crate::service::from;
use crate::shared_data::Dialect;
use crate::worker::Worker;

const REFUSED: &str = r#"{"rules": [{"name": "per-client"}]}"#;

#[test]
fn a_stream_that_was_never_announced_goes_on() {
    let mut scene = Scene::new(PER_CLIENT);
    assert_eq!(scene.worker.request_headers(4_711), 0);
    assert_eq!(scene.worker.response_headers(4_711), 0);
    scene.worker.delete(4_711);
    scene.admit(1, &Request::get("/"));
}

#[test]
fn a_stream_of_a_root_that_was_never_announced_goes_on() {
    let mut scene = Scene::new(PER_CLIENT);
    let nowhere = crate::worker::Root {
        id: 99,
        accepted: true,
    };
    assert!(
        scene
            .worker
            .exchange(nowhere, &Request::get("/"))
            .admitted()
    );
    scene.admit(1, &Request::get("/"));
}

#[test]
fn a_response_without_a_request() {
    let mut scene = Scene::new(&PER_CLIENT.replace("[]", r#"["x-ratelimit"]"#));
    let stream = scene.worker.open(scene.root, &Request::get("/"));
    assert_eq!(scene.worker.response_headers(stream), 0);
    assert_eq!(
        scene
            .worker
            .close(stream)
            .response
            .text("x-ratelimit-limit"),
        ""
    );
}

#[test]
fn a_response_that_comes_twice_carries_the_headers_once() {
    let mut scene = Scene::new(&PER_CLIENT.replace("[]", r#"["x-ratelimit", "ietf-draft-11"]"#));
    let stream = scene.worker.open(scene.root, &Request::get("/"));
    scene.worker.request_headers(stream);
    scene.worker.response_headers(stream);
    scene.worker.response_headers(stream);
    let end = scene.worker.close(stream);
    for name in [
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "ratelimit",
        "ratelimit-policy",
    ] {
        let count = end
            .response
            .0
            .iter()
            .filter(|(held, _)| held == name.as_bytes())
            .count();
        assert_eq!(count, 1, "{name}");
    }
}

#[test]
fn a_refusal_carries_the_headers_once() {
    let mut scene = Scene::new(&ONE_AN_HOUR.replace("[]", r#"["x-ratelimit", "ietf-draft-11"]"#));
    scene.admit(1, &Request::get("/"));
    for _ in 0..2 {
        let exchange = scene.exchange(&Request::get("/"));
        assert!(!exchange.admitted());
        for name in [
            "retry-after",
            "x-ratelimit-limit",
            "ratelimit",
            "content-type",
            "cache-control",
        ] {
            let held = |(held, _): &&(Vec<u8>, Vec<u8>)| held == name.as_bytes();
            assert_eq!(exchange.response.0.iter().filter(held).count(), 1, "{name}");
        }
    }
}

#[test]
fn a_deletion_that_comes_twice_or_for_nothing() {
    let mut scene = Scene::new(PER_CLIENT);
    let stream = scene.worker.open(scene.root, &Request::get("/"));
    scene.worker.request_headers(stream);
    scene.worker.close(stream);
    scene.worker.delete(stream);
    scene.worker.delete(0);
    scene.worker.delete(u32::MAX);
    scene.admit(1, &Request::get("/"));
}

#[test]
fn a_root_that_goes_while_its_streams_live() {
    let mut scene = Scene::new(&PER_CLIENT.replace("[]", r#"["x-ratelimit"]"#));
    let begun = scene.worker.open(scene.root, &Request::get("/"));
    scene.worker.request_headers(begun);
    let waiting = scene.worker.open(scene.root, &Request::get("/"));
    scene.worker.delete(scene.root.id);
    scene.worker.response_headers(begun);
    scene.worker.close(begun);
    scene.worker.request_headers(waiting);
    scene.worker.response_headers(waiting);
    scene.worker.close(waiting);
    scene.worker.tick(scene.root);
}

#[test]
fn what_comes_before_a_configuration_goes_on() {
    let mut worker = Worker::new(&Process::new(Dialect::Envoy));
    let root = worker.unconfigured();
    worker.tick(root);
    assert!(worker.exchange(root, &Request::get("/")).admitted());
    assert!(worker.configure_root(root.id, PER_CLIENT).accepted);
    assert!(worker.exchange(root, &Request::get("/")).admitted());
}

#[test]
fn a_root_whose_configuration_was_refused_lets_pass() {
    let mut worker = Worker::new(&Process::new(Dialect::Envoy));
    let root = worker.configure(REFUSED);
    assert!(!root.accepted);
    worker.tick(root);
    assert!(worker.exchange(root, &Request::get("/")).admitted());
}

#[test]
fn a_root_keeps_its_configuration_when_the_next_is_refused() {
    let mut scene = Scene::new(ONE_AN_HOUR);
    scene.admit(1, &Request::get("/"));
    assert!(!scene.worker.configure_root(scene.root.id, REFUSED).accepted);
    assert!(!scene.exchange(&Request::get("/")).admitted());
}

#[test]
fn a_root_that_is_configured_twice_limits_by_the_second() {
    let mut scene = Scene::new(ONE_AN_HOUR);
    scene.admit(1, &Request::get("/"));
    assert!(!scene.exchange(&Request::get("/")).admitted());
    let off = ONE_AN_HOUR.replacen('{', r#"{"enabled": false, "#, 1);
    assert!(scene.worker.configure_root(scene.root.id, &off).accepted);
    scene.admit(3, &Request::get("/"));
}

/// A remembered refusal belongs to the configuration that made it, and what is short is a request, not an
/// hour: the new burst has four more, and the next comes after 3.6 s.
#[test]
fn a_raised_limit_applies_at_once_in_a_worker_that_has_refused() {
    let mut scene = Scene::new(ONE_AN_HOUR);
    scene.admit(1, &Request::get("/"));
    assert!(!scene.exchange(&Request::get("/")).admitted());
    let raised = ONE_AN_HOUR.replace(r#""requests": 1,"#, r#""requests": 1000, "burst": 5,"#);
    scene.root = scene.worker.accept(&raised);
    scene.admit(4, &Request::get("/"));
    let refusal = scene.exchange(&Request::get("/")).reply.unwrap();
    assert_eq!(refusal.headers.text("retry-after"), "4");
    scene.process.borrow_mut().advance(4 * SECOND);
    scene.admit(1, &Request::get("/"));
}

#[test]
fn two_roots_of_one_vm_keep_to_their_own() {
    let mut scene = Scene::new(ONE_AN_HOUR);
    let strict = scene.root;
    let loose = scene
        .worker
        .accept(&PER_CLIENT.replace("per-client", "loose"));
    for _ in 0..3 {
        assert!(scene.worker.exchange(loose, &Request::get("/")).admitted());
    }
    assert!(scene.worker.exchange(strict, &Request::get("/")).admitted());
    assert!(!scene.worker.exchange(strict, &Request::get("/")).admitted());
    scene.worker.delete(strict.id);
    assert!(scene.worker.exchange(loose, &Request::get("/")).admitted());
}

/// During a drain the old root still answers for its streams while the new one takes the others.
#[test]
fn an_old_root_answers_for_its_streams() {
    let mut scene = Scene::new(&PER_CLIENT.replace("[]", r#"["x-ratelimit"]"#));
    let old = scene.worker.open(scene.root, &Request::get("/"));
    scene.worker.request_headers(old);
    let new = scene
        .worker
        .accept(&PER_CLIENT.replace(r#""burst": 40"#, r#""burst": 30"#));
    assert!(scene.worker.exchange(new, &Request::get("/")).admitted());
    scene.worker.response_headers(old);
    assert_eq!(
        scene.worker.close(old).response.text("x-ratelimit-limit"),
        "40"
    );
}

#[test]
fn no_context_leaks() {
    let mut scene = Scene::new(&ONE_AN_HOUR.replace("[]", r#"["x-ratelimit", "ietf-draft-11"]"#));
    let mut run = |count: usize| {
        for client in 0..count {
            scene.exchange(&Request::get("/").from(&format!("10.0.0.{}:80", client % 250)));
        }
        scene.worker.memory()
    };
    let before = run(1_000);
    assert_eq!(run(10_000), before);
}

/// Every second request is refused and remembered, far more often than the memory has slots.
#[test]
fn a_flood_of_refused_clients_fills_a_memory_of_fixed_size() {
    let mut scene = Scene::new(&ONE_AN_HOUR.replace("[]", r#"["x-ratelimit"]"#));
    let start = scene.worker.memory();
    for client in 0..8_000_u32 {
        let [_, a, b, c] = client.to_be_bytes();
        let request = Request::get("/").from(&format!("10.{a}.{b}.{c}:80"));
        scene.exchange(&request);
        scene.exchange(&request);
    }
    let grown = scene.worker.memory() - start;
    println!("{grown} bytes");
    assert!(grown <= 11 << 18, "{grown} bytes");
}

#[test]
fn a_hundred_streams_at_once_leave_nothing() {
    let mut scene = Scene::new(PER_CLIENT);
    let mut memory = Vec::new();
    for _ in 0..20 {
        let streams: Vec<_> = (0..100)
            .map(|_| {
                let stream = scene.worker.open(scene.root, &Request::get("/"));
                scene.worker.request_headers(stream);
                stream
            })
            .collect();
        for stream in streams {
            scene.worker.response_headers(stream);
            scene.worker.close(stream);
        }
        memory.push(scene.worker.memory());
    }
    assert_eq!(memory[1], memory[19]);
}

#[test]
fn no_root_leaks() {
    let mut scene = Scene::new(PER_CLIENT);
    let reload = |scene: &mut Scene, count: u32| {
        for round in 0..count {
            let other =
                PER_CLIENT.replace(r#""burst": 40"#, &format!(r#""burst": {}"#, 20 + round % 7));
            let root = scene.worker.accept(&other);
            scene.worker.exchange(root, &Request::get("/"));
            scene.worker.delete(scene.root.id);
            scene.root = root;
        }
    };
    reload(&mut scene, 1_000);
    let before = scene.worker.memory();
    reload(&mut scene, 1_000);
    assert_eq!(scene.worker.memory(), before);
}

/// A configuration that drains beside the next ones takes no second cache of refusals.
#[test]
fn configurations_of_one_vm_share_the_cache_of_refusals() {
    const SHUT: &str = r#"{"rules": [{"name": "once", "key": ["client_ip"], "limits": [{"requests": 1, "per": "1d"}]}]}"#;
    let mut scene = Scene::new(SHUT);
    let before = scene.worker.memory();
    let mut fill = || {
        for client in 0..4_000 {
            for admitted in [true, false] {
                assert_eq!(scene.exchange(&from(client)).admitted(), admitted);
            }
        }
        scene.process.borrow_mut().shared_data.forget();
        scene.root = scene.worker.accept(SHUT);
        scene.worker.memory()
    };
    let first = fill();
    println!("{} bytes", first - before);
    fill();
    let third = fill();
    // Two caches more would be four megabytes.
    assert!(third - first < 1 << 20, "{first}, then {third} bytes");
}
