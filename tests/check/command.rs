//! The command itself: its exit statuses, its formats, its manual.

use std::fs;

use super::{judge, text, weir};

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
fn what_cannot_be_written_ends_with_2() {
    for arguments in [
        &["check", "syntax.json"][..],
        &["schema"],
        &["completions", "fish"],
        &["man"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = weir("tests/check/broken");
        let output = command.args(arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = weir("");
    let output = command
        .args(["check", "no-such-file.json"])
        .stderr(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
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
