use super::ENGINES;
use crate::global::wire::{Answer, Counter, Engine, Fault, MAX_BODY, Reset, Told};
use crate::units::{Nanos, UnixTime};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn answer(status: u16, body: &str) -> Answer<'_> {
    Answer {
        status: Some(status),
        headers: &[],
        body: body.as_bytes(),
    }
}

#[test]
fn the_host_s_own_answers_are_faults_of_the_way() {
    for engine in ENGINES {
        let read = |status| {
            engine.read(
                1,
                &Answer {
                    status,
                    headers: &[],
                    body: b"upstream request timeout",
                },
            )
        };
        assert_eq!(read(None), Err(Fault::Unreachable));
        assert_eq!(read(Some(503)), Err(Fault::Unreachable));
        assert_eq!(read(Some(504)), Err(Fault::Timeout));
        for status in [0, 100, 201, 204, 301, 400, 401, 403, 404, 500, 501, 502] {
            assert_eq!(read(Some(status)), Err(Fault::Status(status)));
        }
        assert_eq!(read(Some(200)), Err(Fault::Body));
    }
}

/// Another server's refusal is not the engine's.
#[test]
fn a_429_is_no_refusal_by_itself() {
    for body in ["", "null", "{}", "Too many requests", "local_rate_limited"] {
        for engine in [Engine::EnvoyRatelimit, Engine::Limitador] {
            let read = engine.read(1, &answer(429, body));
            assert_eq!(read, Err(Fault::Body), "{engine:?} {body}");
        }
        let read = Engine::Gubernator.read(1, &answer(429, body));
        assert_eq!(read, Err(Fault::Status(429)), "{body}");
    }
}

#[test]
fn ratelimit_leaves_zeros_out_and_may_say_nothing_of_a_limit() {
    let read = |body: &str| Engine::EnvoyRatelimit.read(1, &answer(200, body));
    let counter = Counter {
        limit: 0,
        per: None,
        remaining: Some(0),
        reset: Some(Reset::Aligned),
    };
    for (status, counter) in [
        (r#"{"code":"OK"}"#, None),
        (
            r#"{"code":"OK","limitRemaining":4294967295}"#,
            Some(Counter::UNLIMITED),
        ),
        (
            r#"{"code":"OK","currentLimit":{"requestsPerUnit":4294967295},"limitRemaining":4294967295}"#,
            Some(Counter {
                limit: u32::MAX - 1,
                remaining: Some(u32::MAX),
                ..counter
            }),
        ),
        (r#"{"code":"OK","currentLimit":{}}"#, Some(counter)),
        (
            r#"{"code":"OK","currentLimit":{"requestsPerUnit":5,"unit":"YEAR"},"limitRemaining":"3","quotaBucket":[1]}"#,
            Some(Counter {
                limit: 5,
                per: Some(Nanos(365 * Nanos::DAY.0)),
                remaining: Some(3),
                ..counter
            }),
        ),
        (
            r#"{"code":"OK","currentLimit":{"requestsPerUnit":5.0,"unit":"DAY"},"durationUntilReset":"9s"}"#,
            Some(Counter {
                limit: 5,
                per: Some(Nanos::DAY),
                reset: Some(Reset::RoundedUp(Nanos(9 * Nanos::SECOND.0))),
                ..counter
            }),
        ),
    ] {
        let body = format!(r#"{{"overallCode":"OK","statuses":[{status}]}}"#);
        let told = Told {
            granted: true,
            counter,
        };
        assert_eq!(read(&body), Ok(vec![Ok(told)]), "{status}");
    }
}

#[test]
fn ratelimit_that_contradicts_itself_is_a_fault() {
    let over = r#"{"code":"OVER_LIMIT","currentLimit":{}}"#;
    let unmatched = r#"{"code":"OVER_LIMIT"}"#;
    let timed = r#"{"code":"OK","durationUntilReset":"9s"}"#;
    let ok = r#"{"code":"OK"}"#;
    for (status, overall, statuses) in [
        (200, "OVER_LIMIT", over),
        (429, "OK", over),
        (429, "OVER_LIMIT", ok),
        (429, "OVER_LIMIT", unmatched),
        (200, "OK", timed),
        (200, "OK", "{}"),
        (200, "OK", r#"{"code":"UNKNOWN"}"#),
        (200, "OK", r#"{"code":1}"#),
        (200, "OK", r#"{"code":"OK","code":"OK"}"#),
        (200, "OK", "null"),
        (200, "UNKNOWN", ok),
    ] {
        let body = format!(r#"{{"overallCode":"{overall}","statuses":[{statuses}]}}"#);
        let read = Engine::EnvoyRatelimit.read(1, &answer(status, &body));
        assert_eq!(read, Err(Fault::Body), "{status} {body}");
    }
}

/// As with `SHADOW_MODE`.
#[test]
fn ratelimit_that_is_ok_with_a_call_admits_all_of_it() {
    let over = r#"{"code":"OVER_LIMIT","currentLimit":{"requestsPerUnit":5,"unit":"DAY"},"durationUntilReset":"9s"}"#;
    let body = |overall| {
        format!(r#"{{"overallCode":"{overall}","statuses":[{over},{{"code":"OK"}},{over}]}}"#)
    };
    for (status, overall, granted) in [
        (200, "OK", [true, true, true]),
        (429, "OVER_LIMIT", [false, true, false]),
    ] {
        let told = Engine::EnvoyRatelimit.read(3, &answer(status, &body(overall)));
        let told: Vec<Told> = told.unwrap().into_iter().map(Result::unwrap).collect();
        assert_eq!(
            told.iter().map(|told| told.granted).collect::<Vec<_>>(),
            granted
        );
        assert_eq!(told[0].counter.unwrap().remaining, Some(0));
    }
}

#[test]
fn gubernator_is_believed_only_when_it_says_everything() {
    const WHOLE: &str =
        r#"{"status":"UNDER_LIMIT","limit":"9","remaining":"8","reset_time":"7","error":""}"#;
    let read = |item: &str| {
        let body = format!(r#"{{"responses":[{item}]}}"#);
        Engine::Gubernator.read(1, &answer(200, &body))
    };
    let counter = Counter {
        limit: 9,
        per: None,
        remaining: Some(8),
        reset: Some(Reset::At(UnixTime(7 * Nanos::MILLISECOND.0))),
    };
    let told = Told {
        granted: true,
        counter: Some(counter),
    };
    assert_eq!(read(WHOLE), Ok(vec![Ok(told)]));
    assert_eq!(read(&WHOLE.replace(r#""8""#, "8")), Ok(vec![Ok(told)]));
    for name in ["status", "limit", "remaining", "reset_time", "error"] {
        let item = WHOLE.replace(name, "other");
        assert_eq!(read(&item), Err(Fault::Body), "{item}");
        let item = WHOLE.replace('{', &format!("{{\"{name}\":\"\","));
        assert_eq!(read(&item), Err(Fault::Body), "{item}");
    }
    for (part, other) in [
        (r#""8""#, r#""-1""#),
        (r#""8""#, "-1"),
        (r#""8""#, "8.5"),
        (r#""8""#, "1e400"),
        (r#""8""#, "NaN"),
        (r#""8""#, r#""4294967296""#),
        (r#""8""#, "null"),
        (r#""""#, "null"),
        ("UNDER_LIMIT", "under_limit"),
    ] {
        let item = WHOLE.replace(part, other);
        assert_eq!(read(&item), Err(Fault::Body), "{item}");
    }
    for (part, other) in [(r#""""#, r#""no peer""#), (r#""9""#, r#""0""#)] {
        let item = WHOLE.replace(part, other);
        assert_eq!(read(&item), Ok(vec![Err(Fault::Item)]), "{item}");
    }
}

#[test]
fn limitador_says_all_of_it_in_headers_or_none() {
    const LIMIT: (&[u8], &[u8]) = (b"X-RateLimit-Limit", b"5, 5;w=60;name=\"a, b;w=9\"");
    const REMAINING: (&[u8], &[u8]) = (b"x-ratelimit-remaining", b"4");
    const RESET: (&[u8], &[u8]) = (b"x-ratelimit-reset", b"59");
    type Headers = [(&'static [u8], &'static [u8])];
    let read = |status: u16, headers: &Headers| {
        let answer = Answer {
            status: Some(status),
            headers,
            body: b"null",
        };
        Engine::Limitador.read(1, &answer)
    };
    let counter = Counter {
        limit: 5,
        per: Some(Nanos(60 * Nanos::SECOND.0)),
        remaining: Some(4),
        reset: Some(Reset::RoundedDown(Nanos(59 * Nanos::SECOND.0))),
    };
    let told = |granted, counter| Ok(vec![Ok(Told { granted, counter })]);
    assert_eq!(
        read(200, &[LIMIT, REMAINING, RESET]),
        told(true, Some(counter))
    );
    assert_eq!(read(200, &[]), told(true, None));
    let refused = Counter {
        remaining: None,
        ..counter
    };
    assert_eq!(
        read(429, &[RESET, LIMIT, REMAINING]),
        told(false, Some(refused))
    );
    let wrapped = (REMAINING.0, b"18446744073709551609".as_slice());
    let begun = (RESET.0, b"0".as_slice());
    let bare = (LIMIT.0, b"5".as_slice());
    let counter = Counter {
        limit: 5,
        per: None,
        remaining: Some(0),
        reset: None,
    };
    assert_eq!(
        read(200, &[bare, wrapped, begun]),
        told(true, Some(counter))
    );
    for headers in [
        &[LIMIT, REMAINING] as &Headers,
        &[REMAINING, RESET],
        &[LIMIT, REMAINING, RESET, RESET],
        &[LIMIT, REMAINING, (RESET.0, b"-1")],
        &[LIMIT, (REMAINING.0, b"\xff"), RESET],
        &[(LIMIT.0, b", 5;w=60"), REMAINING, RESET],
    ] {
        assert_eq!(read(200, headers), Err(Fault::Body), "{headers:?}");
    }
    assert_eq!(read(429, &[]), Err(Fault::Body));
}

#[test]
fn answers_are_as_many_as_asks() {
    let ok = r#"{"overallCode":"OK","statuses":[{"code":"OK"},{"code":"OK"}]}"#;
    let item = r#"{"status":"OVER_LIMIT","limit":"9","remaining":"0","reset_time":"7","error":""}"#;
    let items = format!(r#"{{"responses":[{item},{item}]}}"#);
    for asked in [0, 1, 3] {
        for (engine, body) in [(Engine::EnvoyRatelimit, ok), (Engine::Gubernator, &items)] {
            assert_eq!(engine.read(asked, &answer(200, body)), Err(Fault::Count));
        }
    }
    let nobody = r#"{"overallCode":"OVER_LIMIT","statuses":[]}"#;
    for (engine, asked, status, body) in [
        (Engine::EnvoyRatelimit, 1, 429, nobody),
        (Engine::Limitador, 2, 200, "null"),
    ] {
        assert_eq!(engine.read(asked, &answer(status, body)), Err(Fault::Count));
    }
}

#[test]
fn what_is_endless_is_a_fault() {
    let deep = "[".repeat(MAX_BODY);
    let blank = " ".repeat(MAX_BODY);
    let long = format!(r#"{{"overallCode":"OK","responses":[],"statuses":[]}}{blank}"#);
    let nested = format!(r#"{{"statuses":{}"#, "[".repeat(200));
    for engine in ENGINES {
        for body in [&deep, &long, &nested] {
            assert_eq!(engine.read(0, &answer(200, body)), Err(Fault::Body));
        }
    }
}
