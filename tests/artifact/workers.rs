//! Several VMs over one shared data, as the workers of a proxy are.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::host::{At, Script};
use crate::process::Process;
use crate::request::Request;
use crate::scene::{ONE_AN_HOUR, PER_CLIENT, SECOND, Scene};
use crate::shared_data::Dialect;
use crate::worker::Worker;

const DIALECTS: [Dialect; 2] = [Dialect::Envoy, Dialect::Kong];

fn five_an_hour(algorithm: &str) -> String {
    ONE_AN_HOUR.replace(
        r#""requests": 1, "per": "1h""#,
        &format!(r#""requests": 5, "per": "1h", "algorithm": "{algorithm}""#),
    )
}

#[test]
fn a_limit_holds_over_all_workers() {
    for dialect in DIALECTS {
        for algorithm in ["token_bucket", "fixed_window", "sliding_window"] {
            let configuration = five_an_hour(algorithm);
            let process = Process::new(dialect);
            let mut workers: Vec<_> = (0..4)
                .map(|_| {
                    let mut worker = Worker::new(&process);
                    let root = worker.accept(&configuration);
                    (worker, root)
                })
                .collect();
            let mut admitted = 0;
            for turn in 0..40 {
                let (worker, root) = &mut workers[turn % 4];
                admitted += u32::from(worker.exchange(*root, &Request::get("/")).admitted());
            }
            assert_eq!(admitted, 5, "{dialect:?}, {algorithm}");
        }
    }
}

/// Another worker takes its turn between the read and the write of each request.
#[test]
fn a_limit_holds_when_workers_race() {
    for dialect in DIALECTS {
        let configuration = five_an_hour("token_bucket");
        let mut scene = Scene::on(dialect, &configuration);
        let other = Rc::new(RefCell::new(scene.second_worker(&configuration)));
        let admitted = Rc::new(Cell::new(0));
        for _ in 0..10 {
            let (rival, count) = (Rc::clone(&other), Rc::clone(&admitted));
            let turn = Rc::new(move || {
                let (worker, root) = &mut *rival.borrow_mut();
                let exchange = worker.exchange(*root, &Request::get("/"));
                count.set(count.get() + u32::from(exchange.admitted()));
            });
            let race = Script::meanwhile(At::Nth("set_shared_data", 0), turn);
            let exchange = scene.scripted(race, &Request::get("/"));
            admitted.set(admitted.get() + u32::from(exchange.admitted()));
        }
        assert_eq!(admitted.get(), 5, "{dialect:?}");
    }
}

/// The slot of a table and the seed are made by whoever is first; the other one must find the same.
#[test]
fn a_limit_holds_when_both_workers_are_the_first() {
    for dialect in DIALECTS {
        for position in 0..12 {
            let configuration = five_an_hour("token_bucket");
            let process = Process::new(dialect);
            let mut first = Worker::new(&process);
            let second = Rc::new(RefCell::new((Worker::new(&process), None)));
            let (rival, text) = (Rc::clone(&second), configuration.clone());
            let turn = Rc::new(move || {
                let (worker, root) = &mut *rival.borrow_mut();
                *root = Some(worker.accept(&text));
            });
            first.script(Script::meanwhile(At::Position(position), turn));
            let root = first.accept(&configuration);
            first.script(Script::default());
            let mut admitted = 0;
            let (worker, other) = &mut *second.borrow_mut();
            let other = other.unwrap_or_else(|| worker.accept(&configuration));
            for _ in 0..10 {
                admitted += u32::from(first.exchange(root, &Request::get("/")).admitted());
                admitted += u32::from(worker.exchange(other, &Request::get("/")).admitted());
            }
            assert_eq!(admitted, 5, "{dialect:?}, meeting at call {position}");
        }
    }
}

#[test]
fn a_vm_that_was_rebuilt_forgives_nothing() {
    for dialect in DIALECTS {
        let mut scene = Scene::on(dialect, ONE_AN_HOUR);
        scene.admit(1, &Request::get("/"));
        let (mut rebuilt, root) = scene.second_worker(ONE_AN_HOUR);
        assert!(
            !rebuilt.exchange(root, &Request::get("/")).admitted(),
            "{dialect:?}"
        );
    }
}

#[test]
fn a_reload_keeps_the_counters() {
    for dialect in DIALECTS {
        let mut scene = Scene::on(dialect, ONE_AN_HOUR);
        scene.admit(1, &Request::get("/"));
        let reloaded = ONE_AN_HOUR.replace("[]", r#"["x-ratelimit"]"#);
        let old = scene.root;
        scene.root = scene.worker.accept(&reloaded);
        scene.worker.delete(old.id);
        assert!(
            !scene.exchange(&Request::get("/")).admitted(),
            "{dialect:?}"
        );
    }
}

#[test]
fn clients_are_counted_apart() {
    for dialect in DIALECTS {
        let mut scene = Scene::on(dialect, ONE_AN_HOUR);
        for client in 0..200 {
            let request = Request::get("/").from(&format!("198.51.100.{client}:5000"));
            assert!(
                scene.exchange(&request).admitted(),
                "{dialect:?}, client {client}"
            );
            assert!(
                !scene.exchange(&request).admitted(),
                "{dialect:?}, client {client}"
            );
        }
    }
}

#[test]
fn a_refusal_ends_when_it_said() {
    let mut scene = Scene::new(&five_an_hour("token_bucket"));
    let request = Request::get("/");
    scene.admit(5, &request);
    let refusal = scene.exchange(&request).reply.unwrap();
    assert_eq!(refusal.status, 429);
    assert_eq!(refusal.headers.text("retry-after"), "720");
    scene.process.borrow_mut().advance(720 * SECOND - 1);
    assert!(!scene.exchange(&request).admitted());
    scene.process.borrow_mut().advance(1);
    assert!(scene.exchange(&request).admitted());
    assert!(!scene.exchange(&request).admitted());
}

#[test]
fn a_clock_that_steps_back_refunds_nothing() {
    for algorithm in ["token_bucket", "fixed_window", "sliding_window"] {
        let mut scene = Scene::new(&five_an_hour(algorithm));
        let request = Request::get("/");
        scene.admit(5, &request);
        {
            let mut process = scene.process.borrow_mut();
            process.realtime -= 60 * SECOND;
            process.monotonic -= 60 * SECOND;
        }
        assert!(!scene.exchange(&request).admitted(), "{algorithm}");
    }
}

#[test]
fn the_same_metrics_are_defined_once_in_a_vm() {
    let mut scene = Scene::new(PER_CLIENT);
    let before = scene.process.borrow().metrics.definitions();
    scene.worker.accept(PER_CLIENT);
    assert_eq!(scene.process.borrow().metrics.definitions(), before);
}

/// Kong's zone may evict any key. What all workers agreed on must then come back as it was, or each worker
/// that starts later keeps counters of its own.
#[test]
fn a_founding_that_was_evicted_comes_back_as_it_was() {
    let mut scene = Scene::on(Dialect::Kong, ONE_AN_HOUR);
    scene.process.borrow_mut().shared_data.forget();
    // It is looked after every ten seconds.
    for _ in 0..10 {
        scene.process.borrow_mut().advance(SECOND);
        scene.worker.tick(scene.root);
    }
    let (mut later, root) = scene.second_worker(ONE_AN_HOUR);
    scene.admit(1, &Request::get("/"));
    assert!(!later.exchange(root, &Request::get("/")).admitted());
}
