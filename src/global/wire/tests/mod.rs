mod answers;

use std::num::{NonZeroU32, NonZeroU64};

use super::*;
use crate::local::calendar::Span;
use crate::local::gcra::Bucket;
use crate::local::limit::Algorithm;
use crate::local::window::Window;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const ENGINES: [Engine; 3] = [
    Engine::EnvoyRatelimit,
    Engine::Gubernator,
    Engine::Limitador,
];

fn limit(algorithm: Algorithm, per: Nanos) -> Limit {
    Limit {
        name: "limit".into(),
        policy: "rule".into(),
        requests: 100,
        per,
        algorithm,
    }
}

fn window(length: Nanos, offset: Nanos, sliding: bool) -> Limit {
    let span = Span::Every {
        length: NonZeroU64::new(length.0).unwrap(),
        offset,
    };
    let window = Window {
        limit: 100,
        span,
        sliding,
    };
    limit(Algorithm::Window(window), length)
}

fn fixed(seconds: u64) -> Limit {
    window(Nanos(seconds * Nanos::SECOND.0), Nanos(0), false)
}

fn month() -> Limit {
    let window = Window {
        limit: 100,
        span: Span::Month {
            utc_offset_minutes: 0,
        },
        sliding: false,
    };
    limit(Algorithm::Window(window), Nanos(31 * Nanos::DAY.0))
}

fn bucket() -> Limit {
    let (requests, capacity) = (NonZeroU32::new(100).unwrap(), NonZeroU32::new(150).unwrap());
    let bucket = Bucket::new(requests, Nanos::SECOND, capacity).unwrap();
    limit(Algorithm::TokenBucket(bucket), Nanos::SECOND)
}

fn descriptor(entries: &[(&str, &str)]) -> Descriptor {
    let mut descriptor = Descriptor::default();
    for (key, value) in entries {
        descriptor.push(key, value.as_bytes());
    }
    descriptor
}

#[test]
fn calls_are_as_each_engine_reads_them() {
    let (tenant, two) = (
        descriptor(&[("tenant", "a\"b")]),
        descriptor(&[("org", "a"), ("user", "é")]),
    );
    let (minute, bucket) = (fixed(60), bucket());
    let asks = [
        Ask {
            descriptor: &tenant,
            hits: 3,
            limit: &minute,
        },
        Ask {
            descriptor: &two,
            hits: 0,
            limit: &bucket,
        },
    ];
    let call = |engine: Engine, asks: &[Ask<'_>]| {
        let call = engine.call("edge", asks);
        (call.path, call.body)
    };
    assert_eq!(
        call(Engine::EnvoyRatelimit, &asks),
        (
            "/json",
            concat!(
                r#"{"domain":"edge","descriptors":[{"entries":[{"key":"tenant","value":"a\"b"}],"hitsAddend":3},"#,
                r#"{"entries":[{"key":"org","value":"a"},{"key":"user","value":"é"}],"hitsAddend":0}]}"#
            )
            .to_owned()
        )
    );
    assert_eq!(
        call(Engine::Gubernator, &asks),
        (
            "/v1/GetRateLimits",
            concat!(
                r#"{"requests":[{"name":"edge","unique_key":"/6:tenant/3:a\"b","hits":3,"limit":100,"#,
                r#""duration":60000,"algorithm":0},{"name":"edge","unique_key":"/3:org/1:a/4:user/2:é","#,
                r#""hits":0,"limit":100,"duration":1000,"algorithm":1,"burst":150}]}"#
            )
            .to_owned()
        )
    );
    assert_eq!(
        call(Engine::Limitador, &asks[1..]),
        (
            "/check_and_report",
            concat!(
                r#"{"namespace":"edge","values":{"org":"a","user":"é"},"delta":0,"#,
                r#""response_headers":"DraftVersion03"}"#
            )
            .to_owned()
        )
    );
}

#[test]
fn a_full_call_is_within_what_a_server_takes() {
    // What JSON escapes counts once at the server, which counts the bytes of a protocol buffer.
    let long = descriptor(&[("tenant", &"x".repeat(500))]);
    let bucket = bucket();
    let ask = Ask {
        descriptor: &long,
        hits: u32::MAX,
        limit: &bucket,
    };
    let asks = vec![ask; Engine::Gubernator.most_asks()];
    let call = Engine::Gubernator.call(&"d".repeat(64), &asks);
    assert!(call.body.len() < 1 << 20, "{}", call.body.len());
}

#[test]
fn an_engine_is_asked_only_for_what_it_can_do() {
    use Engine::{EnvoyRatelimit, Gubernator, Limitador};
    use Mode::{Lease, PerRequest};
    let can = |limit: &Limit| {
        let pairs = ENGINES.map(|engine| [Lease, PerRequest].map(|mode| (engine, mode)));
        let pairs = pairs.into_iter().flatten();
        let can = pairs.filter(|(engine, mode)| engine.supports(limit, *mode).is_ok());
        can.collect::<Vec<_>>()
    };
    let every = [EnvoyRatelimit, Gubernator, Limitador];
    let all = every.map(|engine| [(engine, Lease), (engine, PerRequest)]);
    for seconds in [60, 3_600, 86_400] {
        assert_eq!(can(&fixed(seconds)), all.as_flattened());
    }
    assert_eq!(
        can(&fixed(1)),
        all.as_flattened()[..4]
            .iter()
            .copied()
            .chain([(Limitador, PerRequest)])
            .collect::<Vec<_>>()
    );
    assert_eq!(can(&fixed(10)), &all.as_flattened()[2..]);
    let short = window(Nanos(500 * Nanos::MILLISECOND.0), Nanos(0), false);
    assert_eq!(can(&short), all[1]);
    assert_eq!(can(&window(Nanos::DAY, Nanos::SECOND, false)), []);
    assert_eq!(can(&window(Nanos::DAY, Nanos(0), true)), []);
    assert_eq!(can(&month()), []);
    assert_eq!(can(&bucket()), [(Gubernator, PerRequest)]);
    assert_eq!(can(&limit(Algorithm::Closed, Nanos(1))), all.as_flattened());
}

#[test]
fn a_refusal_lasts_until_its_window_has_surely_ended() {
    let arrived = UnixTime(300);
    let second = Nanos::SECOND.0;
    let (minute, three) = (Nanos(60 * second), Nanos(3 * second));
    for (reset, latest) in [
        (Reset::RoundedUp(three), 300 + 3 * second),
        (Reset::RoundedUp(Nanos(0)), 300),
        (Reset::RoundedDown(three), 300 + 4 * second),
        (Reset::At(UnixTime(7 * second)), 7 * second),
        (Reset::At(UnixTime(u64::MAX)), 300 + 60 * second),
    ] {
        assert_eq!(reset.latest(arrived, minute), UnixTime(latest), "{reset:?}");
    }
    for far in [
        Reset::RoundedUp(Nanos(u64::MAX)),
        Reset::RoundedDown(Nanos(u64::MAX)),
    ] {
        assert_eq!(far.latest(arrived, minute), arrived.plus(minute), "{far:?}");
    }
}
