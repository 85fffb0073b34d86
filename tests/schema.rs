//! The schema of a configuration beside its parser, by a validator of others.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test stops where it is surprised"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::Validator;
use regex_lite::Regex;
use serde_json::{Value, json};
use weir::config::check::{Variable, check};
use weir::config::parse;
use weir::config::schema::{Dialect, schema};
use weir::decision::Count;
use weir::metrics::{self, of_rule, on_kong};

/// Broken documents that only the parser refuses: for what fields mean together, for names that are there twice or
/// reserved, or for what is inside a text.
const ONLY_THE_PARSER: &[&str] = &[
    "client-ip-proxies-connection",
    "client-ip-proxies",
    "duplicate-members",
    "env-secret",
    "env-unset",
    "global-burst-by-default",
    "global-descriptor-long",
    "global-descriptor-twice",
    "global-envoy-ratelimit-limits",
    "global-gubernator-limits",
    "global-limitador-limits",
    "global-limitador-names",
    "global-limitador-subset",
    "global-without-limiter",
    "limit-burst-window",
    "limit-calendar",
    "limit-fill-time",
    "limit-name-twice",
    "limiter-breaker-shorter",
    "match-empty",
    "match-path-glob-long",
    "match-path-glob",
    "match-path-prefix",
    "match-path-regex",
    "object-too-large",
    "policy-twice",
    "response-body-json-size",
    "response-body-json",
    "response-body-number",
    "response-body-text",
    "response-headers-twice",
    "response-retry-jitter-fraction",
    "response-retry-jitter-long",
    "response-retry-jitter-short",
    "rule-names-in-prometheus",
    "rules-empty",
    "utc-offset-month",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn validators() -> [Validator; 2] {
    [Dialect::Draft2020, Dialect::Draft4].map(|dialect| {
        let schema = schema(dialect);
        jsonschema::meta::validate(&schema).unwrap();
        jsonschema::validator_for(&schema).unwrap()
    })
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    files
}

/// Whether the parser accepts a document for some environment.
fn is_accepted(text: &str) -> bool {
    let node = parse(text.as_bytes());
    node.is_ok_and(|node| check(&node, &|_| Variable::Unknown).errors.is_empty())
}

/// Documents that the parser accepts, each with where it is from.
fn accepted() -> Vec<(String, String)> {
    let mut documents = Vec::new();
    let mut paths = files("tests/config/good");
    for example in fs::read_dir(root().join("examples")).unwrap() {
        paths.push(example.unwrap().path().join("weir.json"));
    }
    for path in paths.into_iter().filter(|path| path.exists()) {
        documents.push((
            path.display().to_string(),
            fs::read_to_string(path).unwrap(),
        ));
    }
    for page in [
        "README.md",
        "docs/configuration.md",
        "docs/keys.md",
        "docs/responses.md",
        "docs/shared-limits.md",
    ] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let blocks = text.split("```json\n").skip(1);
        let blocks = blocks.map(|block| block.split("```").next().unwrap().to_owned());
        documents.extend(blocks.map(|block| (page.to_owned(), block)));
    }
    assert!(documents.len() > 30, "{}", documents.len());
    documents
}

#[test]
fn what_the_parser_accepts_both_schemas_accept() {
    let validators = validators();
    for (name, text) in accepted() {
        assert!(is_accepted(&text), "{name}");
        let document = serde_json::from_str(&text).unwrap();
        for validator in &validators {
            let refused: Vec<_> = validator
                .iter_errors(&document)
                .map(|error| error.to_string())
                .collect();
            assert!(refused.is_empty(), "{name}: {refused:?}");
        }
    }
}

#[test]
fn what_is_broken_both_refuse_but_for_these() {
    let [validator, draft_4] = validators();
    let mut only_the_parser = Vec::new();
    for path in files("tests/config/broken") {
        let text = fs::read(&path).unwrap();
        // What is no JSON is for no schema.
        let Ok(document) = serde_json::from_slice(&text) else {
            continue;
        };
        assert_eq!(
            validator.is_valid(&document),
            draft_4.is_valid(&document),
            "{}",
            path.display()
        );
        if validator.is_valid(&document) {
            only_the_parser.push(path.file_stem().unwrap().to_string_lossy().into_owned());
        }
    }
    assert_eq!(only_the_parser, ONLY_THE_PARSER);
}

/// Lengths about which texts are bounded.
const LENGTHS: [usize; 6] = [32, 64, 255, 256, 1_024, 8_192];

/// What is put in place of every value of a document, one after the other.
fn replacements() -> Vec<Value> {
    let lengths = LENGTHS.into_iter().flat_map(|most| [most, most + 1]);
    let mut replacements: Vec<_> = lengths.map(|length| json!("a".repeat(length))).collect();
    replacements.extend([
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(20.0),
        json!(20.5),
        json!(-1),
        json!(1e300),
        json!(""),
        json!("a"),
        json!("A b"),
        json!("1s"),
        json!("/a/{b}"),
        json!("unlimited"),
        json!("client_ip"),
        json!("::1/128"),
        json!([]),
        json!(["client_ip"]),
        json!([{ "prefix": "/a" }]),
        json!({}),
        json!({ "env": "A" }),
        json!({ "env": "A", "default": 1 }),
        json!({ "header": "a", "cookie": "b" }),
    ]);
    replacements
}

/// Calls `judge` with the document after each change of one value of it.
fn changed(document: &mut Value, at: &str, judge: &mut dyn FnMut(&Value, &str)) {
    let here = document.pointer(at).unwrap().clone();
    let parts: Vec<String> = match &here {
        Value::Array(items) => (0..items.len()).map(|place| place.to_string()).collect(),
        Value::Object(members) => members.keys().cloned().collect(),
        _ => Vec::new(),
    };
    let mut variants = replacements();
    if let Value::Object(members) = &here {
        for name in members.keys() {
            let mut without = members.clone();
            without.remove(name);
            variants.push(Value::Object(without));
        }
        let mut with = members.clone();
        with.insert("unknown".to_owned(), json!(1));
        variants.push(Value::Object(with));
    }
    for variant in variants {
        *document.pointer_mut(at).unwrap() = variant;
        judge(document, at);
    }
    *document.pointer_mut(at).unwrap() = here;
    for part in parts {
        let part = part.replace('~', "~0").replace('/', "~1");
        changed(document, &format!("{at}/{part}"), judge);
    }
}

#[test]
fn a_schema_refuses_nothing_that_the_parser_accepts() {
    let validators = validators();
    let (mut accepted, mut refused, mut seen) = (0, 0, 0);
    for path in files("tests/config/good") {
        let mut document: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        changed(&mut document, "", &mut |document, at| {
            let [valid, valid_4] =
                [0, 1].map(|which| validators.get(which).unwrap().is_valid(document));
            assert_eq!(valid, valid_4, "{at}: {document}");
            if is_accepted(&document.to_string()) {
                assert!(valid, "{at}: {document}");
                accepted += 1;
            } else {
                refused += 1;
                seen += u32::from(!valid);
            }
        });
    }
    assert!(accepted > 1_000, "{accepted}");
    // What is wrong with one value is mostly its form.
    assert!(seen * 100 > refused * 90, "{seen} of {refused}");
}

/// Calls `see` with every member that a schema knows, its name first.
fn members(schema: &Value, see: &mut dyn FnMut(&str, &Value)) {
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        see(name, member);
        members(member, see);
    }
    let alternatives = schema["anyOf"].as_array().into_iter().flatten();
    for part in alternatives.chain(schema.get("items")) {
        members(part, see);
    }
}

#[test]
fn an_editor_can_say_what_every_member_is() {
    let mut seen = 0;
    members(&schema(Dialect::Draft2020), &mut |name, member| {
        assert!(member["description"].is_string(), "{name}");
        seen += 1;
    });
    assert!(seen > 50, "{seen}");
}

/// Every default of a schema, and where a document would have it.
fn defaults(schema: &Value, at: &str, found: &mut Vec<(String, Value)>) {
    if let Some(default) = schema.get("default") {
        found.push((at.to_owned(), default.clone()));
    }
    let alternatives = schema["anyOf"].as_array().into_iter().flatten();
    alternatives.for_each(|alternative| defaults(alternative, at, found));
    if let Some(items) = schema.get("items") {
        defaults(items, &format!("{at}/0"), found);
    }
    let members = schema["properties"].as_object().into_iter().flatten();
    members.for_each(|(name, member)| defaults(member, &format!("{at}/{name}"), found));
}

/// What a document means.
fn meant(document: &Value) -> String {
    let node = parse(document.to_string().as_bytes()).unwrap();
    let judgement = check(&node, &|_| Variable::Unset);
    format!("{:?}", judgement.plan.unwrap())
}

#[test]
fn a_default_is_what_a_member_is_when_left_out() {
    let bare = json!({
        "rules": [{ "name": "a", "limits": [{ "requests": 1, "per": "1s" }], "global": {} }],
        "limiter": { "engine": "gubernator", "cluster": "a", "proxies": 2, "breaker": {} },
        "client_ip": {},
        "response": {},
        "store": {},
        "log": {},
    });
    let mut found = Vec::new();
    defaults(&schema(Dialect::Draft2020), "", &mut found);
    assert_eq!(found.len(), 25);
    for (at, default) in found {
        let (parent, name) = at.rsplit_once('/').unwrap();
        let mut written = bare.clone();
        written.pointer_mut(parent).unwrap()[name] = default;
        assert_eq!(meant(&written), meant(&bare), "{at}");
    }
    let mut of_kong = Vec::new();
    defaults(&schema(Dialect::Draft4), "", &mut of_kong);
    assert_eq!(of_kong, [], "Kong's validator could fill them in");
}

#[test]
fn the_command_writes_both() {
    let written = |arguments: &[&str]| -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_weir"))
            .arg("schema")
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(written(&[]), schema(Dialect::Draft2020));
    let metadata = written(&["--kong"]);
    assert_eq!(metadata["config_schema"], schema(Dialect::Draft4));
    let patterns = metadata["metrics"]["label_patterns"].as_array().unwrap();
    assert_eq!(
        patterns
            .iter()
            .map(|each| &each["label"])
            .collect::<Vec<_>>(),
        ["rule"]
    );
    // As Kong's Prometheus plugin reads them: of a filter that is called after `weir.wasm`.
    let rule = Regex::new(patterns[0]["pattern"].as_str().unwrap()).unwrap();
    let metric = on_kong(&of_rule("per-client.v2", Count::Limited));
    let found = rule.captures(&metric).unwrap();
    assert_eq!(found.get(1).unwrap().end(), metric.len());
    assert_eq!(
        metric.get(..found.get(1).unwrap().start()),
        Some("weir_rule_limited")
    );
    assert_eq!(&found[2], "per-client.v2");
    assert!(rule.captures(&on_kong(metrics::ENTRIES)).is_none());
}
