//! Answers that no rate limit service should give, at times at which none should come.

use crate::host::{At, Fault, Script};
use crate::http_calls::CallAnswer;
use crate::process::Random;
use crate::scene::Scene;
use crate::service::{from, gone, on_error, told};

/// The kinds of faults that are counted.
const FAULTS: [&str; 6] = ["timeout", "unreachable", "status", "body", "count", "item"];

/// Two requests that the service is asked about, where only its word admits.
fn asked() -> (Scene, [u32; 2]) {
    let denying = r#""on_fault": "deny", "key""#;
    let mut scene = Scene::new(&on_error("deny").replace(r#""key""#, denying));
    let streams = [scene.park(&from(1)), scene.park(&from(2))];
    scene.wake();
    (scene, streams)
}

/// Neither request is admitted by this answer, and neither waits for another.
fn refuses(answer: CallAnswer, case: &str) {
    let (mut scene, streams) = asked();
    scene.worker.answer(scene.call(), answer);
    assert_eq!(scene.end(&streams), [false, false], "{case}");
    let errors = FAULTS.map(|fault| scene.metric(&format!("weir.limiter.errors.{fault}")));
    assert_eq!(errors.iter().sum::<i64>(), 1, "{case}: {errors:?}");
    assert_eq!(scene.metric("weir.rule.per-client.allowed"), 0, "{case}");
    assert_eq!(scene.metric("weir.rule.per-client.uncharged"), 0, "{case}");
}

fn granting() -> CallAnswer {
    told(&[Some(7), Some(6)])
}

#[test]
fn an_answer_that_is_cut_admits_nobody() {
    let CallAnswer { body, .. } = granting();
    for length in 0..body.len() {
        refuses(
            CallAnswer::new("200", &body[..length]),
            &format!("{length} bytes"),
        );
        // The host keeps less of it than it has announced, or announces less.
        let announced = u32::try_from(length).unwrap();
        let cut = CallAnswer {
            announced,
            ..granting()
        };
        refuses(cut, &format!("{length} bytes announced"));
    }
    refuses(CallAnswer::broken_off(), "no headers");
    let headless = CallAnswer {
        headers: None,
        ..granting()
    };
    refuses(headless, "a body without headers");
}

#[test]
fn an_answer_of_another_status_admits_nobody() {
    let CallAnswer { body, .. } = granting();
    for status in [
        "",
        "0",
        "100",
        "201",
        "204",
        "302",
        "400",
        "401",
        "404",
        "429",
        "500",
        "503",
        "504",
        "999",
        "20",
        "2000",
        "200.0",
        "2 00",
        "0x200",
        "65736",
        "-200",
        "\u{ff12}00",
    ] {
        refuses(CallAnswer::new(status, &body), status);
    }
    let mut twice = granting();
    twice.headers.as_mut().unwrap().add(b":status", b"200");
    refuses(twice, "two statuses");
}

#[test]
fn an_answer_about_others_admits_nobody() {
    let few: [&[Option<u32>]; 4] = [&[], &[Some(7)], &[Some(7); 3], &[Some(7); 300]];
    for remaining in few {
        refuses(told(remaining), &format!("{} statuses", remaining.len()));
    }
    for body in [
        r#"{"overallCode":"OK"}"#,
        r#"{"overallCode":"OK", "statuses":null}"#,
        r#"{"overallCode":"OK", "statuses":[{}, {}]}"#,
        r#"{"overallCode":"OK", "statuses":[{"code":"OK"}, {"code":"UNKNOWN"}]}"#,
        r#"{"overallCode":"OK", "statuses":[{"code":"OK"}, {"code":"OVER_LIMIT"}, {"code":"OK"}]}"#,
        r#"{"overallCode":"OVER_LIMIT", "statuses":[{"code":"OK"}, {"code":"OK"}]}"#,
        r#"[{"code":"OK"}, {"code":"OK"}]"#,
        "null",
        "OK",
    ] {
        refuses(CallAnswer::new("200", body.as_bytes()), body);
    }
    let deep = "[".repeat(1 << 20);
    refuses(
        CallAnswer::new("200", deep.as_bytes()),
        "a million brackets",
    );
    let long = format!("{}{}", " ".repeat(1 << 20), "{}");
    refuses(
        CallAnswer::new("200", long.as_bytes()),
        "more than a megabyte",
    );
    let liar = CallAnswer {
        announced: u32::MAX,
        ..granting()
    };
    refuses(liar, "4 GiB announced");
}

#[test]
fn noise_admits_nobody() {
    let mut random = Random(17);
    for length in 0..300 {
        let noise = random.bytes(length);
        refuses(CallAnswer::new("200", &noise), "noise");
    }
    // What the two calls that read it return.
    for length in 0..200 {
        for call in ["get_header_map_pairs", "get_buffer_bytes"] {
            let (mut scene, streams) = asked();
            let noise = Fault::Bytes(random.bytes(length));
            scene
                .worker
                .script(Script::new([(At::Nth(call, 0), noise)]));
            scene.worker.answer(scene.call(), granting());
            assert_eq!(scene.end(&streams), [false, false], "{length} B of {call}");
        }
    }
}

/// A flipped bit may make another answer; it never makes the module fail or anybody wait.
#[test]
fn a_flipped_bit_is_survived() {
    let CallAnswer { body, .. } = told(&[Some(7), None]);
    let (mut scene, _) = asked();
    scene.worker.answer(scene.call(), gone());
    for bit in 0..8 * body.len() {
        let mut flipped = body.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let streams = [scene.park(&from(2 * bit)), scene.park(&from(2 * bit + 1))];
        scene.wake();
        let answer = CallAnswer::new("429", &flipped);
        scene.worker.answer(scene.call(), answer);
        let admitted = scene.end(&streams);
        assert!(!admitted[1], "bit {bit}");
        scene.close_breaker();
    }
}

#[test]
fn an_answer_to_another_call_resumes_nobody() {
    let (mut scene, streams) = asked();
    let mine = scene.call();
    let root = scene.root.id;
    for call in [0, 1, mine - 1, mine + 1, mine + 4, u32::MAX] {
        scene.worker.answer_to(root, call, granting());
        assert!(
            streams.iter().all(|stream| scene.waits(*stream)),
            "call {call}"
        );
    }
    // Neither is a stream told of a call, nor a context that nobody announced.
    for context in [streams[0], 4_711] {
        scene.worker.answer_to(context, mine, granting());
        assert!(streams.iter().all(|stream| scene.waits(*stream)));
    }
    scene.worker.answer(mine, granting());
    assert_eq!(scene.end(&streams), [true, true]);
}

#[test]
fn an_answer_that_comes_twice_counts_once() {
    let (mut scene, streams) = asked();
    let call = scene.call();
    scene.worker.answer(call, told(&[Some(7), None]));
    for answer in [told(&[Some(7), None]), granting(), gone()] {
        scene.worker.answer_to(scene.root.id, call, answer);
    }
    assert_eq!(scene.end(&streams), [true, false]);
    assert_eq!(scene.metric("weir.rule.per-client.allowed"), 1);
    assert_eq!(scene.metric("weir.rule.per-client.limited"), 1);
}

/// As if the host counted its calls anew.
#[test]
fn two_calls_of_one_number_admit_nobody_by_another_s_answer() {
    let (mut scene, streams) = asked();
    let call = scene.call();
    let third = scene.park(&from(3));
    let same = Fault::Bytes(call.to_le_bytes().to_vec());
    scene
        .worker
        .script(Script::new([(At::Nth("http_call", 0), same)]));
    scene.wake();
    scene.worker.answer(call, granting());
    scene.tick_late();
    assert_eq!(scene.end(&[streams[0], streams[1], third]), [false; 3]);
}
