//! A service that is left alone, and what the operator is shown of it.

use crate::scene::{PER_CLIENT, SECOND, Scene};
use crate::service::{PER_REQUEST, from, gone};

/// Five calls that fail, one for each of as many clients: then the service is left alone.
fn break_off(scene: &mut Scene) {
    for client in 0..5 {
        let stream = scene.park(&from(client));
        scene.wake();
        scene.worker.answer(scene.call(), gone());
        scene.end(&[stream]);
    }
    assert_eq!(scene.metric("weir.limiter.breaker"), 1);
}

#[test]
fn another_configuration_does_not_inherit_the_gauge_of_the_breaker() {
    for other in [
        PER_REQUEST.replace(
            r#""cluster": "ratelimit:8080""#,
            r#""cluster": "ratelimit:8080", "authority": "b""#,
        ),
        PER_CLIENT.to_owned(),
    ] {
        let mut scene = Scene::new(PER_REQUEST);
        break_off(&mut scene);
        scene.worker.accept(&other);
        assert_eq!(scene.metric("weir.limiter.breaker"), 0);
        // The one before drains for minutes, and nobody asks it any more.
        for _ in 0..70 {
            scene.process.borrow_mut().advance(SECOND);
            scene.worker.tick(scene.root);
        }
        for call in scene.calls() {
            scene.worker.answer(call, gone());
        }
        scene.process.borrow_mut().advance(SECOND);
        scene.worker.tick(scene.root);
        assert!(scene.calls().is_empty());
    }
}

#[test]
fn who_is_not_asked_for_is_counted() {
    let mut scene = Scene::new(PER_REQUEST);
    break_off(&mut scene);
    assert_eq!(scene.metric("weir.limiter.alone"), 5);
    assert!(scene.exchange(&from(9)).admitted());
    assert_eq!(scene.metric("weir.limiter.alone"), 6);
}
