//! Keys of which a client chooses a part: every part there is, beside every kind of other rule.

use serde_json::{Value, json};

use super::said;

/// Every part of a key, and whether a client chooses it.
fn parts() -> Vec<(Value, bool)> {
    vec![
        (json!("client_ip"), false),
        (json!("route"), false),
        (json!({ "constant": "a" }), false),
        (json!("method"), true),
        (json!("path"), true),
        (json!("host"), true),
        (json!({ "header": "x-u" }), true),
        (json!({ "cookie": "sid" }), true),
        (json!({ "query": "q" }), true),
        (json!({ "path_segment": 1 }), true),
        (json!({ "path_template": "/api/{id}" }), true),
    ]
}

/// What may stand beside a rule for `/api` and what is below it, and whether that bounds its clients.
fn others() -> Vec<(Value, bool)> {
    let of = |key: Value, path: Value| json!({ "key": key, "match": { "path": path } });
    let by_address = |path: Value| of(json!(["client_ip"]), path);
    vec![
        (json!({}), true),
        (json!({ "key": ["client_ip"] }), true),
        (json!({ "key": ["route"] }), true),
        (json!({ "key": [{ "constant": "a" }] }), true),
        (
            json!({ "key": ["client_ip", "route"], "on_missing_key": "deny" }),
            true,
        ),
        (json!({ "limits": "unlimited" }), false),
        (
            json!({ "key": ["client_ip"], "limits": "unlimited" }),
            false,
        ),
        (json!({ "key": ["client_ip", "path"] }), false),
        (
            json!({ "key": [{ "constant": "a" }, { "header": "x-v" }] }),
            false,
        ),
        (
            json!({ "key": [{ "cookie": "v" }], "on_missing_key": "client_ip" }),
            false,
        ),
        // What refuses everything bounds everybody.
        (json!({ "limits": [{ "requests": 0, "per": "1m" }] }), true),
        (
            json!({ "key": ["host"], "limits": [{ "requests": 0, "per": "1m" }] }),
            true,
        ),
        (
            json!({ "key": [{ "query": "v" }], "limits": [{ "requests": 0, "per": "1m" }] }),
            false,
        ),
        (by_address(json!({ "prefix": "/api" })), true),
        (
            by_address(json!([{ "exact": "/login" }, { "prefix": "/" }])),
            true,
        ),
        (
            by_address(json!({ "prefix": "/api", "normalize": true })),
            true,
        ),
        (by_address(json!({ "glob": "/api**" })), true),
        (by_address(json!({ "regex": "^/" })), true),
        (by_address(json!({ "exact": "/api" })), false),
        (by_address(json!({ "prefix": "/api/v1" })), false),
        (by_address(json!({ "prefix": "/apis" })), false),
        (by_address(json!({ "glob": "/api/**" })), false),
        (
            by_address(json!([{ "glob": "/api" }, { "glob": "/api/*" }])),
            false,
        ),
        (by_address(json!({ "regex": "^/v[0-9]+/" })), false),
        (
            json!({ "key": ["client_ip"], "match": { "methods": ["GET", "HEAD"] } }),
            false,
        ),
        (
            of(json!(["client_ip", "path"]), json!({ "prefix": "/api" })),
            false,
        ),
    ]
}

/// A whole rule, where these members are all that matters.
fn rule(name: &str, members: &Value) -> Value {
    let mut rule = json!({ "name": name, "limits": [{ "requests": 5, "per": "1m" }] });
    let all = rule.as_object_mut().unwrap();
    all.extend(members.as_object().unwrap().clone());
    rule
}

/// Of documents of some rules each, whether there is a warning about that member of the first rule.
fn are_warned(documents: &[Vec<Value>], member: &str) -> Vec<bool> {
    let lines = documents
        .iter()
        .map(|rules| format!("---\n{}\n", json!({ "rules": rules })));
    let said = said(&lines.collect::<String>());
    let about = format!("\"warning\"\"rules[0].{member}");
    let is_warned = |document: usize| {
        let mut here = said.iter().filter(|(line, ..)| *line == 2 * document + 2);
        assert!(
            !said
                .iter()
                .any(|(.., words)| words.starts_with("\"error\"")),
            "{said:?}"
        );
        here.any(|(.., words)| words.starts_with(&about))
    };
    (0..documents.len()).map(is_warned).collect()
}

#[test]
fn a_key_with_a_chosen_part_is_told_unless_another_rule_bounds_its_clients() {
    let mut documents = Vec::new();
    let mut expected = Vec::new();
    for (part, is_chosen) in parts() {
        for key in [
            json!([part]),
            json!(["client_ip", part]),
            json!([{ "constant": "b" }, part]),
            json!(["route", part, "client_ip"]),
        ] {
            let path = json!({ "path": { "prefix": "/api" } });
            let first = rule("first", &json!({ "key": key, "match": path }));
            documents.push(vec![first.clone()]);
            expected.push(is_chosen);
            for (other, bounds) in others() {
                documents.push(vec![first.clone(), rule("other", &other)]);
                expected.push(is_chosen && !bounds);
            }
        }
    }
    for (nth, is_warned) in are_warned(&documents, "key[").into_iter().enumerate() {
        let rules = json!(documents.get(nth));
        assert_eq!(Some(&is_warned), expected.get(nth), "{rules}");
    }
}

/// What a rule lists of methods and paths is all that a client can choose of them.
#[test]
fn what_a_match_lists_is_not_chosen() {
    let listed =
        json!({ "methods": ["GET", "PUT"], "path": [{ "exact": "/a/b" }, { "exact": "/c/d" }] });
    let open = json!({ "path": [{ "exact": "/a/b" }, { "prefix": "/c" }] });
    let mut documents = Vec::new();
    let mut expected = Vec::new();
    for (part, is_chosen) in parts() {
        let is_of_path = part == "path"
            || part.get("path_segment").is_some()
            || part.get("path_template").is_some();
        for (matches, is_listed) in [(&listed, is_of_path || part == "method"), (&open, false)] {
            let members = json!({ "key": ["client_ip", part], "match": matches });
            documents.push(vec![rule("first", &members)]);
            expected.push(is_chosen && !is_listed);
        }
    }
    assert_eq!(are_warned(&documents, "key["), expected, "{documents:?}");
}

/// A pattern that also holds for `//login` matches more than one that does not, but where the proxy resolves paths.
#[test]
fn a_path_that_is_resolved_is_bound_by_one_that_is() {
    let normalized =
        |normalize: bool| json!({ "path": { "exact": "/login", "normalize": normalize } });
    let pair = |first: bool, other: bool| {
        let key = json!([{ "header": "x-u" }]);
        vec![
            rule("first", &json!({ "key": key, "match": normalized(first) })),
            rule(
                "other",
                &json!({ "key": ["client_ip"], "match": normalized(other) }),
            ),
        ]
    };
    let pairs =
        [(false, false), (true, true), (false, true)].map(|(first, other)| pair(first, other));
    assert_eq!(are_warned(&pairs, "key["), [false; 3]);
    let narrower = pair(true, false);
    let rules = json!({ "rules": narrower });
    let manager = |flags: &[&str]| {
        let mut manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "use_remote_address": true,
            "http_filters": [{ "name": "weir", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": { "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": rules.to_string(),
                } },
            } }, {}],
        });
        let all = manager.as_object_mut().unwrap();
        all.extend(flags.iter().map(|flag| ((*flag).to_owned(), json!(true))));
        manager
    };
    let policy = json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyExtensionPolicy",
        "spec": { "wasm": [{ "name": "weir", "config": rules }] },
    });
    let plugin = json!({
        "apiVersion": "extensions.istio.io/v1alpha1",
        "kind": "WasmPlugin",
        "spec": { "pluginConfig": rules },
    });
    let chain = json!({
        "_format_version": "3.0",
        "filter_chains": [{ "filters": [{ "name": "weir", "config": rules }] }],
    });
    for (carrier, is_warned) in [
        (rules.clone(), true),
        (manager(&[]), true),
        (manager(&["normalize_path"]), true),
        (manager(&["merge_slashes"]), true),
        (manager(&["normalize_path", "merge_slashes"]), false),
        (plugin, true),
        (policy, false),
        (chain, false),
    ] {
        let about_key = |words: &str| words.starts_with("\"warning\"\"rules[0].key[0]\"");
        let said = said(&carrier.to_string());
        assert_eq!(
            said.iter().any(|(.., words)| about_key(words)),
            is_warned,
            "{carrier}: {said:?}"
        );
    }
}

#[test]
fn a_part_that_is_left_out_is_told_unless_another_rule_counts_or_denies() {
    let first = rule(
        "first",
        &json!({ "key": [{ "header": "x-u" }, { "query": "q" }] }),
    );
    let other = |key: Value, action: &str, limits: Value| json!({ "key": key, "on_missing_key": action, "limits": limits });
    let limits = || json!([{ "requests": 9, "per": "1m" }]);
    let header = || json!([{ "header": "x-u", "as": "user" }]);
    let both = || json!([{ "query": "q" }, { "header": "x-u" }]);
    let others = [
        (other(json!(["client_ip"]), "skip", limits()), false),
        (other(json!([]), "skip", json!("unlimited")), true),
        (other(json!(["client_ip", "path"]), "skip", limits()), true),
        (other(both(), "deny", json!("unlimited")), false),
        (other(both(), "client_ip", limits()), false),
        (other(both(), "shared", limits()), false),
        (other(both(), "client_ip", json!("unlimited")), true),
        (other(both(), "skip", limits()), true),
        // Who leaves out the other part is not denied.
        (other(header(), "deny", json!("unlimited")), true),
        (
            other(
                json!([{ "header": "x-v" }, { "query": "v" }]),
                "deny",
                limits(),
            ),
            true,
        ),
    ];
    let mut documents = vec![vec![first.clone()]];
    documents.extend(
        others
            .iter()
            .map(|(other, _)| vec![first.clone(), rule("other", other)]),
    );
    let mut expected = vec![true];
    expected.extend(others.iter().map(|(_, is_warned)| *is_warned));
    assert_eq!(are_warned(&documents, "on_missing_key"), expected);
    let pair = [
        rule("header", &other(header(), "deny", json!("unlimited"))),
        rule(
            "query",
            &other(json!([{ "query": "q" }]), "client_ip", limits()),
        ),
    ];
    let documents = [[&[first][..], &pair].concat()];
    assert_eq!(are_warned(&documents, "on_missing_key"), [false]);
}
