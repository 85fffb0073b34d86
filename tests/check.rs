//! `weir check` as operators run it: what it says of files, word for word, and where.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test stops where it is surprised"
)]

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

/// What comes before a line and column of a text.
fn before(text: &str, line: usize, column: usize) -> String {
    let mut lines = text.split_inclusive('\n');
    let above: String = lines.by_ref().take(line - 1).collect();
    let within = lines.next().unwrap_or_default().chars();
    above + &within.take(column - 1).collect::<String>()
}

/// A text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let string = serde_json::to_string(text).unwrap();
    let text = string.strip_prefix('"').unwrap();
    text.strip_suffix('"').unwrap().to_owned()
}

/// A document says the same as a block of YAML, further down and to the right, and as a string of JSON.
#[test]
fn a_document_says_the_same_in_every_carrier() {
    const HEAD: &str =
        "_format_version: '3.0'\nfilter_chains:\n- filters:\n  - name: weir\n    config: |\n";
    const INDENT: &str = "       ";
    let mut compared = 0;
    for path in fixtures("tests/config/broken") {
        let text = fs::read_to_string(&path).unwrap();
        // Kong has no clusters, but addresses.
        let text = text.replace("\"ratelimit\"", "\"limits:80\"");
        // What begins otherwise is read as YAML, when it stands alone; what ends too early ends elsewhere in a block,
        // which has a line break more.
        if !text.starts_with('{') || path.ends_with("syntax-cut-off.json") {
            continue;
        }
        let alone = said(&text);
        let block: String = text
            .lines()
            .map(|line| format!("{INDENT}{line}\n"))
            .collect();
        let (above, left) = (HEAD.lines().count(), INDENT.len());
        let moved = alone
            .iter()
            .map(|(line, column, words)| (line + above, column + left, words.clone()));
        assert_eq!(
            said(&format!("{HEAD}{block}")),
            moved.collect::<Vec<_>>(),
            "{}",
            path.display()
        );
        let filter = serde_json::json!({ "name": "weir", "config": text });
        let string = serde_json::json!({ "_format_version": "3.0", "filter_chains": [{ "filters": [filter] }] })
            .to_string();
        let begin = string.find(&escaped(&text)).unwrap();
        let moved = alone.into_iter().map(|(line, column, words)| {
            let before = escaped(&before(&text, line, column)).chars().count();
            (1, begin + before + 1, words)
        });
        assert_eq!(
            said(&string),
            moved.collect::<Vec<_>>(),
            "{}",
            path.display()
        );
        compared += 1;
    }
    assert!(compared > 90, "{compared}");
}

/// What an anchor keeps aside is as large as what an alias stands for.
#[test]
fn copies_of_yaml_are_counted() {
    let (begin, end): (String, String) = (0..100)
        .map(|nth| (format!("&a{nth} ["), "]".to_owned()))
        .unzip();
    let anchors = format!("rules: {begin}{}{end}\n", "0, ".repeat(12_000));
    let aliases = "*a, ".repeat(10_000);
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

/// Files of examples that have no configuration in them.
const OTHERS: [&str; 3] = ["alerts.yaml", "limits.yaml", "stats-tags.yaml"];

/// Examples that are warned of: by itself this does not tell that the proxy removes a header that clients choose.
const WARNED: &str = "examples/loans-api/weir.json";

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
                    assert_eq!(lines.is_empty(), !path.ends_with(WARNED), "{lines}");
                }
            }
        }
    }
}

/// Each of these rules had each of those to be compared with, path by path: for a thousand that took seconds.
#[test]
fn rules_are_compared_up_to_a_bound() {
    const RULES: usize = 100;
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

#[test]
fn what_cannot_be_judged_ends_with_2() {
    for arguments in [&["check"][..], &["check", "no-such-file.json"], &["chekc"]] {
        let output = weir("").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_ne!(text(&output.stderr), "");
    }
    let others = ["check", "no-such-file.json", "syntax.json"];
    let output = weir("tests/check/broken").args(others).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).starts_with("syntax.json:3:64: error: "));
}

/// The name of a file is one in a list, and a line among lines.
#[test]
fn a_name_of_two_lines_is_told_on_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a\nb: c.json");
    let name = path.to_string_lossy().replace('\n', "\\n");
    let run = |arguments: &[&str]| weir("").arg("check").arg(&path).args(arguments).output();
    let missing = run(&[]).unwrap();
    assert!(text(&missing.stderr).starts_with(&format!("weir: {name}: ")));
    fs::write(&path, "{\"rules\": 1}").unwrap();
    let lines = run(&[]).unwrap();
    assert!(text(&lines.stdout).starts_with(&format!("{name}:1:2: error: ")));
    let list = run(&["--format", "json"]).unwrap();
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(list.pointer("/0/file").unwrap(), &*path.to_string_lossy());
}

#[test]
fn a_machine_reads_a_list() {
    let output = judge("{\"rules\": 1}", &["--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = serde_json::json!([{
        "file": "-",
        "line": 1,
        "column": 2,
        "path": "rules",
        "severity": "error",
        "message": "1 is not allowed; expected a list of at most 1000",
    }]);
    assert_eq!(said, expected);
    assert_eq!(
        text(&judge("{\"rules\": [], \"enabled\": false}", &["--format", "json"]).stdout),
        "[]\n"
    );
}

#[test]
fn a_value_that_is_not_known_is_no_error() {
    let input = r#"{"enabled": {"env": "ENABLED"}, "rules": []}"#;
    let output = judge(input, &[]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "an empty list is allowed where it is false"
    );
    let input = r#"{"domain": {"env": "DOMAIN"}, "enabled": {"env": "ENABLED", "default": false}, "rules": []}"#;
    let output = judge(input, &[]);
    let said = "-:1:2: warning: domain: cannot be judged: \
                the value of the environment variable DOMAIN is not known here\n";
    assert_eq!(text(&output.stdout), said);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(judge(input, &["--deny-warnings"]).status.code(), Some(1));
}

#[test]
fn colours_are_for_terminals() {
    let run = |colours: (&str, &str)| {
        let output = weir("tests/check/broken")
            .args(["check", "columns.json"])
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .env(colours.0, colours.1)
            .output()
            .unwrap();
        text(&output.stdout).contains('\u{1b}')
    };
    assert!(!run(("TERM", "xterm")), "into a pipe");
    assert!(run(("CLICOLOR_FORCE", "1")), "as if it were a terminal");
    assert!(!run(("NO_COLOR", "1")));
}

#[test]
fn shells_and_manuals_know_the_commands() {
    for (arguments, part) in [
        (&["completions", "bash"][..], "--deny-warnings"),
        (&["completions", "zsh"], "--deny-warnings"),
        (&["completions", "fish"], "deny-warnings"),
        (&["man"], "weir\\-check(1)"),
        (&["man", "check"], "deny\\-warnings"),
        (&["man", "check"], "<FILE>..."),
        (
            &["man", "check"],
            concat!("\"weir ", env!("CARGO_PKG_VERSION")),
        ),
        (&["man", "schema"], "kong"),
        (&["man", "completions"], "shell"),
        (&["man", "man"], "manual page"),
    ] {
        let output = weir("").args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        let written = text(&output.stdout);
        assert!(written.contains(part), "{arguments:?}: {written}");
    }
    let output = weir("").arg("man").output().unwrap();
    assert!(!text(&output.stdout).contains("weir\\-help(1)"));
    let output = weir("").args(["man", "chekc"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("'check'"), "what was meant");
}
