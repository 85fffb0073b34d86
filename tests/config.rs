//! Configurations as operators write them: what is accepted, and every message word for word.

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test stops where it is surprised"
)]

#[path = "config/globs.rs"]
mod globs;
#[path = "config/limiter.rs"]
mod limiter;
#[path = "config/migrating.rs"]
mod migrating;
#[path = "config/properties.rs"]
mod properties;

use std::fs;
use std::path::{Path, PathBuf};

use weir::config::{Errors, load};
use weir::plan::Plan;

/// What the fixtures find in the environment.
fn environment(name: &str) -> Option<String> {
    match name {
        "ENABLED" => Some("false"),
        "DOMAIN" => Some("edge"),
        "REQUESTS" => Some("60"),
        "SECRET" => Some("hunter2"),
        "BROKEN_SECRET" => Some("hunter2\n"),
        "EMPTY" => Some(""),
        _ => None,
    }
    .map(str::to_owned)
}

fn read(text: &[u8]) -> Result<Plan, Errors> {
    load(text, &environment)
}

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/config")
        .join(folder);
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut fixtures: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    fixtures.sort();
    fixtures
}

/// Every JSON block of the documentation is a whole document, and is accepted where only secrets are set.
#[test]
fn documented_documents_are_accepted() {
    for page in [
        "README.md",
        "docs/configuration.md",
        "docs/migrating.md",
        "docs/keys.md",
        "docs/responses.md",
        "docs/engines.md",
        "docs/shared-limits.md",
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let text = fs::read_to_string(path).unwrap();
        let blocks: Vec<_> = text
            .split("```json\n")
            .skip(1)
            .map(|block| block.split("```").next().unwrap_or_default())
            .collect();
        assert!(!blocks.is_empty(), "{page}");
        for block in blocks {
            let secrets = |name: &str| (name == "LIMITER_TOKEN").then(|| "hunter2".to_owned());
            if let Err(errors) = load(block.as_bytes(), &secrets) {
                panic!("{page}: {errors}\n{block}");
            }
        }
    }
}

/// With `WEIR_BLESS=1` the lines are written down instead, to be read before they are committed.
#[test]
fn broken_documents_are_refused_with_exactly_these_lines() {
    let bless = std::env::var_os("WEIR_BLESS").is_some();
    let mut differing = String::new();
    for path in fixtures("broken") {
        let lines = match read(&fs::read(&path).unwrap()) {
            Ok(_) => "accepted\n".to_owned(),
            Err(errors) => format!("{errors}\n"),
        };
        let expected = path.with_extension("txt");
        if bless {
            fs::write(&expected, lines).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != lines {
            differing += &format!("{}:\n{lines}", path.display());
        }
    }
    assert!(differing.is_empty(), "\n{differing}");
}

#[test]
fn a_message_that_is_no_text_is_told_so() {
    // What Envoy hands on for a Struct of one member.
    let message = b"\n\x12\n\x07enabled\x12\x07\x1a\x05false";
    let lines: Vec<String> = match read(message) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.lines().map(str::to_owned).collect(),
    };
    let said = "the document is not text; carry it as a google.protobuf.StringValue";
    assert_eq!(lines, [said]);
}
