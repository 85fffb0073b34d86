use super::*;
use crate::config;
use crate::facts::given::Given;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn get(headers: &[(&'static str, &'static str)]) -> Given {
    let request = Given::from("192.0.2.7:1234").with(headers);
    Given {
        route: Ok(Some("r")),
        ..request
    }
}

/// The key of a request under a rule with this `key` and `on_missing_key`.
fn key_of(key: &str, missing: &str, mut request: Given) -> Key {
    let plan = format!(
        r#"{{"rules": [{{"name": "r", "key": {key}, "on_missing_key": "{missing}",
            "limits": [{{"requests": 1, "per": "1s"}}]}}]}}"#
    );
    let plan = config::load(plan.as_bytes(), &|_| None).unwrap();
    let keyer = Keyer::new(&plan, &[7; 16]);
    let facts = &mut Facts::new(&mut request);
    keyer.key(0, &plan.rules[0], &plan.client_ip, facts)
}

fn found(key: &str, request: Given) -> u64 {
    match key_of(key, "skip", request) {
        Key::Found(key) => key,
        key => panic!("{key:?}"),
    }
}

#[test]
fn equal_bytes_of_different_kinds_are_different_keys() {
    let request = || {
        get(&[
            (":method", "x"),
            (":path", "/x?x=x"),
            ("host", "x"),
            ("x", "x"),
            ("cookie", "x=x"),
        ])
    };
    let request = || Given {
        route: Ok(Some("x")),
        ..request()
    };
    let mut keys: Vec<u64> = [
        "[]",
        r#"["method"]"#,
        r#"["host"]"#,
        r#"["route"]"#,
        r#"[{"header": "x"}]"#,
        r#"[{"cookie": "x"}]"#,
        r#"[{"query": "x"}]"#,
        r#"[{"path_segment": 0}]"#,
        r#"[{"path_template": "/{x}"}]"#,
        r#"[{"constant": "x"}]"#,
        r#"[{"header": "x"}, {"constant": "x"}]"#,
    ]
    .into_iter()
    .map(|key| found(key, request()))
    .collect();
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count);
}

/// Two keys that find the same values in this request, with them and without.
#[test]
fn another_key_is_another_counter() {
    let request = || {
        get(&[
            (":path", "/x/x?x=1&y=1"),
            ("x", "1"),
            ("y", "1"),
            ("cookie", "x=1; y=1"),
        ])
    };
    for (one, other) in [
        (r#"[{"header": "x"}]"#, r#"[{"header": "y"}]"#),
        (r#"[{"cookie": "x"}]"#, r#"[{"cookie": "y"}]"#),
        (r#"[{"query": "x"}]"#, r#"[{"query": "y"}]"#),
        (r#"[{"header": "x"}]"#, r#"[{"cookie": "x"}]"#),
        (r#"[{"path_segment": 0}]"#, r#"[{"path_segment": 1}]"#),
        (
            r#"[{"path_template": "/x/{id}"}]"#,
            r#"[{"path_template": "/{id}/x"}]"#,
        ),
        (
            r#"[{"header": "x"}, {"header": "y"}]"#,
            r#"[{"header": "y"}, {"header": "x"}]"#,
        ),
        (
            r#"[{"header": "x"}]"#,
            r#"[{"header": "x"}, {"constant": "1"}]"#,
        ),
    ] {
        assert_ne!(found(one, request()), found(other, request()), "{one}");
        let keyless = |key| key_of(key, "shared", get(&[(":path", "/")]));
        assert_ne!(keyless(one), keyless(other), "{one}");
        let in_place = |key| key_of(key, "client_ip", get(&[(":path", "/")]));
        assert_ne!(in_place(one), in_place(other), "{one}");
    }
    // What a part is called elsewhere is no part of what it is.
    for (one, same) in [
        (r#"[{"header": "x"}]"#, r#"[{"header": "X", "as": "y"}]"#),
        (
            r#"[{"path_template": "/x/{id}"}]"#,
            r#"[{"path_template": "/x/{name}"}]"#,
        ),
    ] {
        assert_eq!(found(one, request()), found(same, request()), "{one}");
    }
}

/// Another prefix starts anew what is counted by addresses, also where they are equal under both.
#[test]
fn another_prefix_is_another_counter() {
    let of = |key: &str, prefix: &str| {
        let plan = format!(
            r#"{{"client_ip": {{{prefix}}}, "rules": [{{"name": "r", "key": {key},
                "on_missing_key": "client_ip", "limits": [{{"requests": 1, "per": "1s"}}]}}]}}"#
        );
        let plan = config::load(plan.as_bytes(), &|_| None).unwrap();
        let mut request = Given::from("192.0.2.0").with(&[("b", "1")]);
        let facts = &mut Facts::new(&mut request);
        Keyer::new(&plan, &[7; 16]).key(0, &plan.rules[0], &plan.client_ip, facts)
    };
    for (key, differs) in [
        (r#"["client_ip"]"#, true),
        (r#"[{"header": "a"}]"#, true),
        (r#"[{"header": "b"}]"#, false),
    ] {
        for prefix in [r#""v4_prefix": 24"#, r#""v6_prefix": 48"#] {
            assert_eq!(of(key, prefix) != of(key, ""), differs, "{key} {prefix}");
        }
    }
}

#[test]
fn values_do_not_run_into_each_other() {
    let key = r#"[{"header": "a"}, {"header": "b"}]"#;
    let of = |a, b| found(key, get(&[("a", a), ("b", b)]));
    assert_ne!(of("xy", "z"), of("x", "yz"));
    assert_ne!(of("x", "y"), of("y", "x"));
    assert_eq!(of("x", "y"), of("x", "y"));
}

#[test]
fn absent_and_empty_are_missing() {
    let key = r#"[{"header": "a"}]"#;
    for headers in [&[][..], &[("a", "")], &[("a", " \t ")], &[("b", "1")]] {
        assert_eq!(key_of(key, "skip", get(headers)), Key::Skip);
        assert_eq!(key_of(key, "deny", get(headers)), Key::Deny);
    }
    let cookie = r#"[{"cookie": "a"}]"#;
    for line in [
        "", "b=1", "a=", "a", "a= ", "a=\"\"", "a=\" \"", "xa=1", "A=1",
    ] {
        let missing = key_of(cookie, "skip", get(&[("cookie", line)]));
        assert_eq!(missing, Key::Skip, "{line}");
    }
    for query in ["/", "/?", "/?a", "/?a=", "/?a=+%09%20", "/?b=1"] {
        let missing = key_of(r#"[{"query": "a"}]"#, "skip", get(&[(":path", query)]));
        assert_eq!(missing, Key::Skip, "{query}");
    }
}

#[test]
fn sending_a_value_twice_is_no_way_out_of_a_rule() {
    for (key, headers) in [
        (r#"[{"header": "a"}]"#, &[("a", "1"), ("a", "1")][..]),
        (r#"[{"header": "a"}]"#, &[("a", ""), ("a", "1")]),
        (r#"[{"cookie": "a"}]"#, &[("cookie", "a=1; a=2")]),
        (
            r#"[{"cookie": "a"}]"#,
            &[("cookie", "a=1"), ("cookie", "a=1")],
        ),
        (r#"[{"query": "a"}]"#, &[(":path", "/?a=1&%61=1")]),
        (r#"["method"]"#, &[(":method", "GET"), (":method", "GET")]),
        // So Envoy joins two headers.
        (
            r#"[{"header": "authorization"}]"#,
            &[("authorization", "Bearer a,Bearer b")],
        ),
    ] {
        let in_place = key_of(key, "client_ip", get(headers));
        assert_eq!(key_of(key, "skip", get(headers)), in_place, "{headers:?}");
        assert_eq!(key_of(key, "deny", get(headers)), Key::Deny);
        assert_eq!(
            key_of(key, "shared", get(headers)),
            key_of(key, "shared", get(&[]))
        );
        let elsewhere = Given {
            peer: Some("192.0.2.8"),
            ..get(headers)
        };
        assert_ne!(key_of(key, "skip", elsewhere), in_place);
    }
}

/// The key of a request under a rule with a pattern.
fn matched(pattern: &str, key: &str, path: &'static str) -> Key {
    let plan = format!(
        r#"{{"rules": [{{"name": "r", "key": {key}, "match": {{"path": {pattern}}},
            "limits": [{{"requests": 1, "per": "1s"}}]}}]}}"#
    );
    let plan = config::load(plan.as_bytes(), &|_| None).unwrap();
    let mut request = get(&[(":path", path)]);
    let facts = &mut Facts::new(&mut request);
    Keyer::new(&plan, &[7; 16]).key(0, &plan.rules[0], &plan.client_ip, facts)
}

const PATH_KEYS: [&str; 3] = [
    r#"["path"]"#,
    r#"[{"path_segment": 1}]"#,
    r#"[{"path_template": "/users/{id}"}]"#,
];

#[test]
fn all_spellings_of_a_resolved_path_share_a_counter() {
    for pattern in [
        r#"{"prefix": "/", "normalize": true}"#,
        r#"{"exact": "/users/7", "normalize": true}"#,
        r#"{"glob": "/*/7", "normalize": true}"#,
        r#"[{"exact": "/x"}, {"regex": "^/users/.$", "normalize": true}]"#,
    ] {
        for key in PATH_KEYS {
            let plain = matched(pattern, key, "/users/7");
            assert!(matches!(plain, Key::Found(_)));
            for path in ["//users/7", "/users//7", "/./users/7", "/users/x/../7?q"] {
                assert_eq!(matched(pattern, key, path), plain, "{pattern} {key} {path}");
            }
        }
    }
    for key in PATH_KEYS {
        let pattern = r#"{"prefix": "/", "normalize": true}"#;
        let plain = matched(pattern, key, "/users/7");
        assert_ne!(matched(pattern, key, "/users/8"), plain);
    }
}

#[test]
fn a_path_that_a_rule_meets_only_as_sent_is_counted_as_sent() {
    let pattern = r#"{"prefix": "/users", "normalize": true}"#;
    for key in PATH_KEYS {
        // Resolved, it is `/`: its key would be missing, and the request in no counter at all.
        let as_sent = matched(pattern, key, "/users/..");
        assert!(matches!(as_sent, Key::Found(_)), "{key}");
        assert_ne!(as_sent, matched(pattern, key, "/users/7"));
    }
    let first = r#"[{"path_segment": 0}]"#;
    for path in ["/users/..", "/users/../1", "/users/../2", "/users//../3"] {
        // Of the resolved path, a client would choose the counter.
        assert_eq!(
            matched(pattern, first, path),
            matched(pattern, first, "/users/7"),
            "{path}"
        );
    }
}

#[test]
fn without_normalize_a_path_is_counted_as_sent() {
    let pattern = r#"{"prefix": "/users"}"#;
    let of = |path| matched(pattern, r#"["path"]"#, path);
    assert_ne!(of("/users//7"), of("/users/7"));
}

#[test]
fn an_empty_path_or_segment_is_missing() {
    for (key, path) in [
        (r#"["path"]"#, "?x"),
        (r#"["path"]"#, "#x"),
        (r#"[{"path_segment": 0}]"#, "/"),
        (r#"[{"path_segment": 0}]"#, "/?x"),
        (r#"[{"path_segment": 0}]"#, "//a"),
        (r#"[{"path_segment": 1}]"#, "/a"),
        (r#"[{"path_segment": 1}]"#, "/a/"),
        (r#"[{"path_segment": 1}]"#, "/a//b"),
    ] {
        let missing = key_of(key, "skip", get(&[(":path", path)]));
        assert_eq!(missing, Key::Skip, "{key} {path}");
    }
    for (key, path) in [
        (r#"["path"]"#, "/"),
        (r#"[{"path_segment": 0}]"#, "/a"),
        (r#"[{"path_segment": 1}]"#, "/a/b/"),
    ] {
        found(key, get(&[(":path", path)]));
    }
}

#[test]
fn the_keyless_share_a_counter_or_are_told_apart_by_address() {
    let key = r#"[{"header": "a"}]"#;
    let other = || Given {
        peer: Some("192.0.2.8"),
        ..get(&[])
    };
    assert_eq!(
        key_of(key, "shared", get(&[])),
        key_of(key, "shared", other())
    );
    let (one, two) = (
        key_of(key, "client_ip", get(&[])),
        key_of(key, "client_ip", other()),
    );
    assert_ne!(one, two);
    // No value of the header leads to the keyless counter, nor to an address's.
    let sent = found(key, get(&[("a", "192.0.2.7")]));
    assert!(![one, two, key_of(key, "shared", get(&[]))].contains(&Key::Found(sent)));
}

#[test]
fn bytes_that_are_no_text_are_a_value() {
    let key = r#"[{"header": "a"}]"#;
    let of = |value| {
        let headers: Vec<(&str, &[u8])> = vec![("a", value)];
        found(
            key,
            Given {
                headers,
                ..get(&[])
            },
        )
    };
    assert_ne!(of(b"\xff\xfe"), of(b"\xff\xff"));
    assert_ne!(of(b"\xff"), of("\u{fffd}".as_bytes()));
}

/// What a service is asked about a request under a global rule with this key and `on_missing_key`.
fn asked(key: &str, missing: &str, mut request: Given) -> Option<String> {
    let plan = format!(
        r#"{{"limiter": {{"engine": "envoy_ratelimit", "cluster": "c", "proxies": 1}},
            "rules": [{{"name": "r", "key": {key}, "on_missing_key": "{missing}",
            "global": {{"mode": "per_request"}}, "limits": [{{"requests": 1, "per": "1s"}}]}}]}}"#
    );
    let plan = config::load(plan.as_bytes(), &|_| None).unwrap();
    let facts = &mut Facts::new(&mut request);
    let rule = &plan.rules[0];
    let found = Keyer::new(&plan, &[7; 16]).key(0, rule, &plan.client_ip, facts);
    let descriptor = descriptor(rule, &plan, facts);
    assert_eq!(descriptor.is_some(), matches!(found, Key::Found(_)));
    let entries = descriptor?;
    let entries = entries
        .entries()
        .map(|(key, value)| format!("{key}={value}"));
    Some(entries.collect::<Vec<_>>().join(" "))
}

#[test]
fn a_service_is_asked_for_the_parts_of_the_key() {
    let request = || {
        get(&[
            ("x-tenant", "acme"),
            (":method", "get"),
            (":path", "/a/7?k=%41"),
        ])
    };
    for (key, expected) in [
        ("[]", "generic_key=r"),
        (
            r#"["client_ip", "method"]"#,
            "remote_address=192.0.2.7 method=GET",
        ),
        (r#"[{"header": "X-Tenant"}]"#, "x-tenant=acme"),
        (r#"[{"header": "x-tenant", "as": "tenant"}]"#, "tenant=acme"),
        (
            r#"[{"query": "k"}, {"path_template": "/a/{id}", "as": "id"}]"#,
            "k=A id=7",
        ),
        (r#"[{"constant": "v"}, "route"]"#, "generic_key=v route=r"),
    ] {
        assert_eq!(asked(key, "skip", request()).unwrap(), expected, "{key}");
    }
}

#[test]
fn who_has_no_key_is_asked_for_under_the_rule_s_own_name() {
    let key = r#"[{"header": "a"}]"#;
    assert_eq!(asked(key, "skip", get(&[])), None);
    assert_eq!(asked(key, "deny", get(&[])), None);
    assert_eq!(asked(key, "shared", get(&[])).unwrap(), "generic_key=r");
    let by_address = "generic_key=r remote_address=192.0.2.7";
    assert_eq!(asked(key, "client_ip", get(&[])).unwrap(), by_address);
    // A credential that is sent twice is refused: for its address the service has no limit.
    assert_eq!(asked(key, "skip", get(&[("a", "1"), ("a", "1")])), None);
}

mod spellings;
