//! Versions that stand in more than one place: what people copy names those that are built, installed and tested here.

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test stops where it is surprised"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// The Makefile's variables, each with what is installed in its version below `.tools`.
const TOOLS: [(&str, &str); 3] = [
    ("ENVOY_NEWEST", "envoy"),
    ("ENVOY_OLDEST", "envoy"),
    ("RATELIMIT_COMMIT", "ratelimit"),
];

/// A resource or a command that names an image names that of this version.
#[test]
fn images_are_of_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let named = tags_behind("registry.example.com/weir:");
    assert!(named.len() > 4, "{named:?}");
    for (file, tag) in named {
        // Which of them is being made, the page on releases leaves open.
        if file != "docs/releases.md" {
            assert_eq!(tag, version, "{file}");
        }
    }
}

/// A command that starts something below `.tools` finds it there.
#[test]
fn tools_are_those_that_are_installed() {
    let makefile = fs::read_to_string(Path::new(HERE).join("Makefile")).unwrap();
    let installed = TOOLS.map(|(variable, tool)| {
        let name = format!("{variable} := ");
        let version = makefile.lines().find_map(|line| line.strip_prefix(&name));
        format!("{tool}-{}", version.unwrap())
    });
    let locked = fs::read_to_string(Path::new(HERE).join("Cargo.lock")).unwrap();
    let (_, behind) = locked
        .split_once("name = \"wasm-bindgen\"\nversion = \"")
        .unwrap();
    let (version, _) = behind.split_once('"').unwrap();
    let installed = [&installed[..], &[format!("wasm-bindgen-{version}")]].concat();
    let named = tags_behind(".tools/");
    assert!(named.len() > 4, "{named:?}");
    assert!(named.iter().any(|(file, _)| file == ".cargo/config.toml"));
    for (file, folder) in named {
        assert!(installed.contains(&folder), "{file}: .tools/{folder}");
    }
}

/// What the front page says it is tested with, and the page on hosts.
#[test]
fn pages_name_the_tested_envoys() {
    let makefile = fs::read_to_string(Path::new(HERE).join("Makefile")).unwrap();
    let [newest, oldest] = ["ENVOY_NEWEST := ", "ENVOY_OLDEST := "].map(|name| {
        let version = makefile.lines().find_map(|line| line.strip_prefix(name));
        version.unwrap()
    });
    for page in ["README.md", "docs/hosts.md"] {
        let text = fs::read_to_string(Path::new(HERE).join(page)).unwrap();
        assert!(text.contains(&format!("{oldest} and {newest}")), "{page}");
    }
}

/// What stands behind this text in documents, examples, the Makefile's help and the settings of cargo, each with its
/// file.
fn tags_behind(text: &str) -> Vec<(String, String)> {
    let listed = Command::new("git")
        .args([
            "ls-files", "*.md", "examples", "envoy", "Makefile", ".cargo",
        ])
        .current_dir(HERE)
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mut found = Vec::new();
    for file in listed.lines() {
        let content = fs::read_to_string(Path::new(HERE).join(file)).unwrap();
        for (at, _) in content.match_indices(text) {
            let behind = &content[at + text.len()..];
            let end = behind
                .find(|letter: char| !(letter.is_ascii_alphanumeric() || "-.".contains(letter)));
            found.push((
                file.to_owned(),
                behind[..end.unwrap_or(behind.len())].to_owned(),
            ));
        }
    }
    found
}
