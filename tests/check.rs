//! `weir check` as operators run it: what it says of files, word for word, and where.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test stops where it is surprised"
)]

#[path = "check/bounds.rs"]
mod bounds;
#[path = "check/command.rs"]
mod command;
#[path = "check/places.rs"]
mod places;

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The command, in a folder below the repository's root.
fn weir(folder: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.current_dir(root().join(folder));
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn judge(input: &str, arguments: &[&str]) -> Output {
    let mut child = weir("")
        .arg("check")
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// What is said of a text that the command reads from its standard input: lines and columns, and the rest.
fn said(input: &str) -> Vec<(usize, usize, String)> {
    let output = judge(input, &["--format", "json"]);
    let list: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let number = |value: &serde_json::Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    list.iter()
        .map(|item| {
            let words =
                ["severity", "path", "message"].map(|name| item.get(name).unwrap().to_string());
            (
                number(item.get("line").unwrap()),
                number(item.get("column").unwrap()),
                words.concat(),
            )
        })
        .collect()
}

/// The files of a folder that are not what is expected of the others.
fn fixtures(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut fixtures: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end != "txt"))
        .collect();
    fixtures.sort();
    fixtures
}

/// Compares what is said of each file of a folder with the text beside it; where there is none, nothing is to be said.
/// All must end with `status`. With `WEIR_BLESS=1` what is said is written down instead, to be read before it is
/// committed.
fn is_said(folder: &str, status: i32) {
    let bless = std::env::var_os("WEIR_BLESS").is_some();
    let mut expected = texts(folder);
    let mut differing = String::new();
    for path in fixtures(folder) {
        let name = path.file_name().unwrap();
        let output = weir(folder).arg("check").arg(name).output().unwrap();
        let lines = text(&output.stdout);
        let file = path.display();
        assert_eq!(output.status.code(), Some(status), "{file}:\n{lines}");
        let beside = path.with_extension("txt");
        let known = expected.remove(&beside);
        match (bless, lines.is_empty()) {
            (true, true) if known.is_some() => fs::remove_file(&beside).unwrap(),
            (true, true) => {}
            (true, false) => fs::write(&beside, lines).unwrap(),
            (false, _) if known.unwrap_or_default() == lines => {}
            (false, _) => differing += &format!("{file}:\n{lines}"),
        }
    }
    assert!(differing.is_empty(), "\n{differing}");
    assert!(expected.is_empty(), "beside no file: {:?}", expected.keys());
}

/// The texts that are beside the files of a folder.
fn texts(folder: &str) -> HashMap<PathBuf, String> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "txt"))
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn what_is_broken_is_told_with_line_and_column() {
    is_said("tests/check/broken", 1);
}

/// What an anchor keeps aside is as large as what an alias stands for.
#[test]
fn copies_of_yaml_are_counted() {
    let (begin, end): (String, String) = (0..100)
        .map(|nth| (format!("&a{nth} ["), "]".to_owned()))
        .unzip();
    let anchors = format!("rules: {begin}{}{end}\n", "0, ".repeat(12_000));
    let aliases = "*a, ".repeat(2_000);
    let texts = format!("rules: [&a {}, {aliases}]\n", "x".repeat(6_400));
    let names = format!("rules: [&a {{{}: 1}}, {aliases}]\n", "x".repeat(6_400));
    for input in [anchors, texts, names] {
        let words = said(&input).pop().unwrap().2;
        assert_eq!(words, "\"error\"\"\"\"more than 1000000 values\"");
    }
}

#[test]
fn what_is_allowed_and_unwise_is_a_warning() {
    is_said("tests/check/allowed", 0);
}

#[test]
fn the_documents_show_what_is_said() {
    let output = weir("tests/check/page")
        .args(["check", "weir.json", "listeners.yaml"])
        .output()
        .unwrap();
    let lines = text(&output.stdout);
    let page = fs::read_to_string(root().join("docs/check.md")).unwrap();
    let shown = format!("```console\n$ weir check weir.json listeners.yaml\n{lines}```\n");
    assert!(page.contains(&shown), "{lines}");
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let first = lines.lines().next().unwrap();
    assert!(readme.contains(&format!("\n{first}\n")), "{first}");
}

/// What another limiter's configuration is translated to is nothing to warn of.
#[test]
fn translations_are_accepted_in_silence() {
    let page = fs::read_to_string(root().join("docs/migrating.md")).unwrap();
    let blocks: Vec<_> = page.split("```json\n").skip(1).collect();
    assert!(blocks.len() >= 8);
    for block in blocks {
        let document = block.split("```").next().unwrap();
        assert_eq!(said(document), [], "{document}");
    }
}

/// Files of examples that have no configuration in them.
const OTHERS: [&str; 4] = [
    "alerts.yaml",
    "envoypatchpolicy.yaml",
    "limits.yaml",
    "stats-tags.yaml",
];

/// Examples that are warned of: by itself the first does not tell that the proxy removes a header that clients choose,
/// and the others have a place for a digest.
const WARNED: [&str; 4] = [
    "examples/loans-api/weir.json",
    "envoy/remote.yaml",
    "examples/istio/wasmplugin.yaml",
    "examples/envoy-gateway/envoyextensionpolicy.yaml",
];

#[test]
fn examples_are_accepted_in_silence() {
    let mut folders = vec![root().join("envoy"), root().join("examples")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".yaml") || name.ends_with(".json") {
                let output = weir("").arg("check").arg(&path).output().unwrap();
                let (status, lines) = (output.status.code(), text(&output.stdout));
                if OTHERS.contains(&&*name) {
                    assert_eq!(status, Some(1), "{}: {lines}", path.display());
                } else {
                    assert_eq!(status, Some(0), "{lines}");
                    let is_warned = WARNED.iter().any(|warned| path.ends_with(warned));
                    assert_eq!(lines.is_empty(), !is_warned, "{lines}");
                }
            }
        }
    }
}

/// Each of these rules had each of those to be compared with, path by path: for a thousand that took seconds.
#[test]
fn rules_are_compared_up_to_a_bound() {
    const RULES: usize = 200;
    let rules = |kind: &str, key: serde_json::Value| {
        let rule = |rule: usize| {
            let path =
                |path: usize| serde_json::json!({ "exact": format!("/{kind}/{rule}/{path}") });
            let paths: Vec<_> = (0..100).map(path).collect();
            serde_json::json!({
                "name": format!("{kind}-{rule}"),
                "match": { "path": paths },
                "key": [key],
                "on_missing_key": "client_ip",
                "limits": [{ "requests": 1, "per": "1s" }],
            })
        };
        (0..RULES).map(rule).collect::<Vec<_>>()
    };
    let chosen = rules("chosen", serde_json::json!({ "header": "x-tenant" }));
    let held = rules("held", serde_json::json!("client_ip"));
    let rules = [chosen, held].concat();
    let said = said(&serde_json::json!({ "rules": rules }).to_string());
    assert!(!said.is_empty());
    assert!(said.len() < RULES, "{}", said.len());
}
