//! Whatever the document: no panic, errors with their place, and a plan that keeps its promises.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use weir::config::MAX_ERRORS;
use weir::global::wire::Mode;
use weir::local::gcra::MAX_FILL;
use weir::local::limit::{Algorithm, MAX_LIMITS};
use weir::plan::{Global, Match, PathForm, Plan, Rule};
use weir::units::Nanos;

use super::{fixtures, read};

/// What is said of every plan in [`weir::plan`].
fn assert_sound(plan: &Plan) {
    assert!(plan.rules.len() <= 1_000);
    assert!(plan.max_keys.is_power_of_two() && (1_024..=4_194_304).contains(&plan.max_keys));
    assert!((8..=32).contains(&plan.client_ip.v4_prefix));
    assert!((16..=128).contains(&plan.client_ip.v6_prefix));
    assert!((400..=599).contains(&plan.response.status));
    let names: BTreeSet<_> = plan.rules.iter().map(|rule| &rule.name).collect();
    assert_eq!(names.len(), plan.rules.len());
    let limits = || plan.rules.iter().flat_map(|rule| &rule.limits);
    let policies: BTreeSet<_> = limits().map(|limit| &limit.policy).collect();
    assert_eq!(policies.len(), limits().count());
    plan.rules.iter().for_each(assert_rule_is_sound);
    assert_service_is_sound(plan);
    for (name, value) in &plan.response.add_headers {
        assert_eq!(**name, name.to_ascii_lowercase());
        assert!(!name.starts_with(':') && !value.contains(['\r', '\n', '\0']));
    }
}

fn assert_rule_is_sound(rule: &Rule) {
    assert!(rule.limits.len() <= MAX_LIMITS);
    let names: BTreeSet<_> = rule.limits.iter().map(|limit| &limit.name).collect();
    assert_eq!(names.len(), rule.limits.len());
    for limit in &rule.limits {
        assert!(limit.per.0 > 0 && (1..=64).contains(&limit.name.len()));
        match &limit.algorithm {
            Algorithm::Closed => assert_eq!(limit.requests, 0),
            Algorithm::TokenBucket(bucket) => assert!(bucket.fill_time() <= MAX_FILL),
            Algorithm::Window(window) => assert!(window.limit > 0),
        }
    }
    if let Some(Match { paths, methods }) = &rule.matches {
        assert!(!paths.is_empty() || !methods.is_empty());
        for pattern in paths {
            if let PathForm::Prefix(prefix) = &pattern.form {
                assert!(prefix.starts_with(b"/") && (prefix.len() == 1 || !prefix.ends_with(b"/")));
            }
        }
    }
}

fn assert_service_is_sound(plan: &Plan) {
    let Some(service) = &plan.service else {
        assert!(plan.rules.iter().all(|rule| rule.global.is_none()));
        return;
    };
    assert!((Nanos::MILLISECOND.0..=60_000 * Nanos::MILLISECOND.0).contains(&service.timeout.0));
    assert!((1..=4_096).contains(&service.max_parked));
    assert!(!service.cluster.is_empty() && !service.authority.is_empty());
    assert!((1..=1_000_000).contains(&service.cold_keys_per_second));
    let terms = &service.breaker;
    let bounds = Nanos::MILLISECOND.0 * 10..=Nanos::MILLISECOND.0 * 60_000;
    assert!(terms.failures > 0 && terms.open <= terms.max_open);
    assert!(bounds.contains(&terms.open.0) && bounds.contains(&terms.max_open.0));
    assert!(terms.probe.0 > service.timeout.0);
    assert!(service.headers.len() <= 16);
    for (name, value) in &service.headers {
        assert_eq!(**name, name.to_ascii_lowercase());
        assert!(!name.is_empty() && !name.contains(':') && !value.0.contains(['\r', '\n', '\0']));
    }
    for rule in &plan.rules {
        let Some(global) = &rule.global else { continue };
        let mode = match global {
            Global::PerRequest(shares) => {
                assert_eq!(shares.len(), rule.limits.len());
                for (share, limit) in shares.iter().zip(&rule.limits) {
                    assert!(share.capacity() <= limit.capacity() && share.per == limit.per);
                    assert_eq!(share.capacity() == 0, limit.capacity() == 0);
                }
                Mode::PerRequest
            }
            Global::Lease(leased) => {
                assert_eq!(leased.len(), rule.limits.len());
                for (leased, limit) in leased.iter().zip(&rule.limits) {
                    assert_eq!(leased.share.limit, limit.capacity());
                    assert_eq!(leased.share.period, limit.per);
                }
                Mode::Lease
            }
        };
        for limit in &rule.limits {
            assert_eq!(service.engine.supports(limit, mode), Ok(()));
        }
        let keys: BTreeSet<_> = rule.key.iter().map(|part| &part.descriptor_key).collect();
        assert!(service.engine.takes_repeated_keys() || keys.len() == rule.key.len());
    }
}

/// Reads a document that may be anything.
fn check(text: &[u8]) {
    match read(text) {
        Ok(plan) => assert_sound(&plan),
        Err(errors) => {
            let lines: Vec<_> = errors.lines().collect();
            assert!((1..=MAX_ERRORS + 1).contains(&lines.len()));
            for line in lines {
                assert!(!line.chars().any(char::is_control), "{line:?}");
                assert!(!line.contains("hunter2"), "{line}");
                assert!(line.len() < 4_096, "{line}");
            }
        }
    }
}

/// Words of the language, so that documents get past its first lines.
fn word() -> impl Strategy<Value = String> {
    const WORDS: &str = "enabled domain rules name match path methods exact prefix glob regex normalize key \
        client_ip method host route header cookie query path_segment path_template constant on_missing_key \
        skip shared deny on_fault allow limits unlimited requests per burst algorithm token_bucket fixed_window \
        sliding_window utc_offset +02:00 1s 500ms calendar_day calendar_month from x-forwarded-for \
        trusted_proxies 10.0.0.0/8 v4_prefix response status headers x-ratelimit ietf-draft-11 reset epoch \
        limiter engine envoy_ratelimit gubernator limitador cluster authority proxies timeout max_wait on_error local \
        max_parked headers breaker failures open max_open cold_keys_per_second global mode per_request as retry_after body problem none text json add_headers store max_keys log keys hashed env SECRET BROKEN_SECRET REQUESTS \
        UNSET default GET /api/** /users/{id} {rule} {{ (a|b)* ^/x$ \u{0} \u{1b}[31m é";
    let words: Vec<_> = WORDS.split_whitespace().map(str::to_owned).collect();
    prop_oneof![8 => select(words), 1 => any::<String>()]
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(serde_json::Value::from),
        (0..100_u64).prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
    ];
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        number,
        word().prop_map(serde_json::Value::from),
    ];
    scalar.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::from),
            prop::collection::hash_map(word(), inner, 0..8)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Every value in `document`, by what leads to it.
fn pointers(document: &serde_json::Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match document {
        serde_json::Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, &format!("{at}/{index}"), all);
            }
        }
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                pointers(value, &format!("{at}/{name}"), all);
            }
        }
        _ => {}
    }
}

fn good_documents() -> Vec<serde_json::Value> {
    let texts = fixtures("good")
        .into_iter()
        .map(|path| std::fs::read(path).unwrap());
    texts
        .map(|text| serde_json::from_slice(&text).unwrap())
        .collect()
}

#[test]
fn every_good_document_makes_a_sound_plan() {
    for path in fixtures("good") {
        match read(&std::fs::read(&path).unwrap()) {
            Ok(plan) => assert_sound(&plan),
            Err(errors) => panic!("{}:\n{errors}", path.display()),
        }
    }
}

proptest! {
    #[test]
    fn any_bytes(text in prop::collection::vec(any::<u8>(), 0..256)) {
        check(&text);
    }

    #[test]
    fn any_json(document in json()) {
        check(&serde_json::to_vec(&document).unwrap());
    }

    #[test]
    fn a_good_document_with_other_values(
        document in select(good_documents()),
        changes in prop::collection::vec((any::<Index>(), json()), 1..4),
    ) {
        let mut document = document;
        for (place, value) in changes {
            let mut all = Vec::new();
            pointers(&document, "", &mut all);
            let changed = place.index(all.len());
            *document.pointer_mut(&all[changed]).unwrap() = value;
        }
        check(&serde_json::to_vec(&document).unwrap());
    }

    #[test]
    fn a_good_document_with_other_bytes(
        document in select(good_documents()),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut text = serde_json::to_vec(&document).unwrap();
        for (place, byte) in changes {
            *place.get_mut(&mut text) = byte;
        }
        check(&text);
    }

    #[test]
    fn any_limit(
        requests in 0..=1_000_000_000_u32,
        burst in prop::option::of(1..=1_000_000_000_u32),
        (number, unit) in (1..=366_u32, select(vec!["ms", "s", "m", "h", "d"])),
        algorithm in select(vec!["token_bucket", "fixed_window", "sliding_window"]),
    ) {
        let mut limit = serde_json::json!({"requests": requests, "per": format!("{number}{unit}"), "algorithm": algorithm});
        if let Some(burst) = burst {
            limit["burst"] = burst.into();
        }
        let document = serde_json::json!({"rules": [{"name": "a", "limits": [limit]}]});
        match read(&serde_json::to_vec(&document).unwrap()) {
            Ok(plan) => assert_sound(&plan),
            Err(errors) => {
                let refused_burst = burst.is_some() && algorithm != "token_bucket";
                prop_assert!(refused_burst || errors.to_string().contains("146 years"), "{errors}");
            }
        }
    }
}

#[test]
fn the_largest_document_is_read() {
    let limits: Vec<_> = (1..=8)
        .map(|requests| serde_json::json!({"requests": requests, "per": "1s"}))
        .collect();
    let rules: Vec<_> = (0..1_000)
        .map(|index| {
            serde_json::json!({
                "name": format!("rule-{index}"),
                "match": {"path": [{"prefix": format!("/{index}")}, {"regex": "^/v[0-9]+/(users|orders)$"}]},
                "key": ["client_ip", {"path_template": "/{a}/{b}"}],
                "limits": limits,
            })
        })
        .collect();
    let plan = read(&serde_json::to_vec(&serde_json::json!({"rules": rules})).unwrap()).unwrap();
    assert_sound(&plan);
}

#[test]
fn a_huge_wrong_document_has_few_errors() {
    let members: serde_json::Map<_, _> = (0..100_000)
        .map(|index| (format!("x{index}"), 1.into()))
        .collect();
    check(&serde_json::to_vec(&members).unwrap());
    let rules =
        serde_json::json!({"rules": vec![serde_json::json!({"name": 1, "limits": members}); 20]});
    check(&serde_json::to_vec(&rules).unwrap());
}
