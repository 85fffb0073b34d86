//! The shape of the source: modules use only those above them, the core touches nothing outside itself, no
//! file is long.

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test stops where it is surprised"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The longest that a file may be.
const MOST_LINES: usize = 400;

/// What of the standard library the core may name. It has no clock, randomness (a `HashMap` draws a seed),
/// environment, file, thread or socket.
const STANDARD: [&str; 14] = [
    "array",
    "borrow",
    "cmp",
    "collections::VecDeque",
    "error",
    "fmt",
    "hash::Hasher",
    "iter",
    "mem",
    "net::IpAddr",
    "net::Ipv4Addr",
    "net::Ipv6Addr",
    "num",
    "str",
];

/// What else only the edge to the proxy may name.
const OUTSIDE: [&str; 6] = [
    "extern ",
    "wasm_import_module",
    "crate::host",
    "print!",
    "println!",
    "dbg!",
];

/// A file of `src/`.
struct File {
    path: PathBuf,
    /// Its module, as `config::json`.
    module: String,
    /// What it says, without comments and without tests.
    code: String,
    /// What stands from the first [`TESTS`] on.
    tests: String,
    /// Whether it is a module of tests, or inside one.
    is_test: bool,
}

/// What stands before a module of tests.
const TESTS: &str = "#[cfg(test)]";

fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(File::read(path, &root));
            }
        }
    }
    assert!(files.len() > 30, "{}", root.display());
    let tests = files.iter().flat_map(|file| {
        let names = test_modules(&file.tests).unwrap_or_default();
        names
            .into_iter()
            .map(|name| format!("{}::{name}", file.module))
    });
    let tests: Vec<String> = tests.collect();
    for file in &mut files {
        file.is_test = tests.iter().any(|test| is_within(&file.module, test));
    }
    files
}

impl File {
    fn read(path: PathBuf, root: &Path) -> Self {
        let text = fs::read_to_string(&path).expect("source is text");
        let inside = path.strip_prefix(root).expect("it is in src");
        let parts = inside.with_extension("");
        let parts = parts.iter().map(|part| part.to_string_lossy().into_owned());
        let module: Vec<String> = parts.filter(|part| part != "mod").collect();
        let (body, tests) = text.split_at(text.find(TESTS).unwrap_or(text.len()));
        let code = body
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        Self {
            module: module.join("::"),
            code: code.collect::<Vec<_>>().join("\n"),
            tests: tests.to_owned(),
            is_test: false,
            path,
        }
    }

    /// Whether it is none of the core's: the edge to the proxy, or the native command.
    fn is_edge(&self) -> bool {
        is_within(&self.module, "host") || is_within(&self.module, "bin")
    }
}

/// The modules that `lib.rs` lists, in its order.
fn layers(files: &[File]) -> Vec<String> {
    let lib = files.iter().find(|file| file.module == "lib");
    let text = fs::read_to_string(&lib.expect("lib.rs").path).expect("source is text");
    let doc = text.lines().take_while(|line| line.starts_with("//!"));
    let doc: String = doc.flat_map(|line| [line, " "]).collect();
    let links = doc.split("[`").skip(1);
    let mut layers: Vec<String> = links
        .filter_map(|link| Some(link.split_once("`]")?.0.to_owned()))
        .collect();
    layers.push("host".to_owned());
    // The native command is a crate of its own, which uses this one.
    layers.push("bin".to_owned());
    layers
}

/// Whether a path names `outer` or something in it.
fn is_within(path: &str, outer: &str) -> bool {
    let rest = path.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The place of the layer that a module belongs to: of those that contain it the innermost.
fn layer(layers: &[String], module: &str) -> Option<usize> {
    let innermost = layers
        .iter()
        .filter(|layer| is_within(module, layer))
        .max_by_key(|layer| layer.len())?;
    layers.iter().position(|layer| layer == innermost)
}

/// Every path below `root` that some code names, one for each member of a list in braces.
fn uses(code: &str, root: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for rest in code.split(root).skip(1) {
        let is_end = |char: char| !(char.is_alphanumeric() || char == '_' || char == ':');
        let (path, rest) = rest.split_at(rest.find(is_end).unwrap_or(rest.len()));
        match rest.strip_prefix('{') {
            Some(list) => {
                let members = list.split('}').next().unwrap_or_default().split(',');
                paths.extend(members.map(|member| format!("{path}{}", member.trim())));
            }
            None => paths.push(path.to_owned()),
        }
    }
    paths
}

/// The names of the modules of tests, of what stands from the first [`TESTS`] on.
///
/// # Errors
/// The first line that belongs to none.
fn test_modules(tests: &str) -> Result<Vec<&str>, &str> {
    let mut names = Vec::new();
    let mut lines = tests.lines().filter(|line| !line.is_empty());
    while let Some(marker) = lines.next() {
        let module = lines.next().unwrap_or_default();
        let (visibility, name) = module.split_once("mod ").ok_or(marker)?;
        if marker != TESTS || !["", "pub ", "pub(crate) "].contains(&visibility) {
            return Err(marker);
        }
        names.push(name.trim_end_matches([';', '{', ' ']));
        if name.ends_with('{') {
            lines.by_ref().find(|line| *line == "}").ok_or(module)?;
        }
    }
    Ok(names)
}

#[test]
fn every_module_has_its_layer() {
    let files = files();
    let layers = layers(&files);
    for file in files.iter().filter(|file| file.module != "lib") {
        assert!(
            layer(&layers, &file.module).is_some(),
            "{} is not in the list of src/lib.rs",
            file.module
        );
    }
}

#[test]
fn a_module_uses_only_those_above_it() {
    let files = files();
    let layers = layers(&files);
    for file in files.iter().filter(|file| !file.is_test) {
        let own = layer(&layers, &file.module);
        for used in uses(&file.code, "crate::") {
            assert!(
                layer(&layers, &used) <= own,
                "{}: {used} is below {}",
                file.path.display(),
                file.module
            );
        }
        let nested =
            own.is_some_and(|own| layers[own] == file.module && file.module.contains("::"));
        assert!(
            !(nested && file.code.contains("use super::")),
            "{}: super is another layer",
            file.path.display()
        );
    }
}

#[test]
fn only_the_edge_touches_the_world() {
    let files = files();
    for file in files.iter().filter(|file| !file.is_edge() && !file.is_test) {
        let path = file.path.display();
        for name in OUTSIDE {
            assert!(
                !file.code.contains(name),
                "{path}: {name} belongs to src/host"
            );
        }
        assert_eq!(beyond_the_core(&file.code), [""; 0], "{path}");
    }
    for (code, name) in [
        ("use std::time::Instant;", "time::Instant"),
        ("use std::{env, fmt};", "env"),
        ("use core::net::{IpAddr, TcpStream};", "net::TcpStream"),
        ("std::hash::RandomState::new()", "hash::RandomState::new"),
        ("use std::*;", ""),
    ] {
        assert_eq!(beyond_the_core(code), [name], "{code}");
    }
}

/// What some code names of the standard library that is not in [`STANDARD`].
fn beyond_the_core(code: &str) -> Vec<String> {
    let named = ["std::", "core::", "alloc::"].map(|root| uses(code, root));
    let is_allowed = |path: &str| STANDARD.iter().any(|allowed| is_within(path, allowed));
    let refused = named.into_iter().flatten().filter(|path| !is_allowed(path));
    refused.collect()
}

#[test]
fn tests_come_last() {
    for file in files() {
        let stray = test_modules(&file.tests).err();
        assert_eq!(stray, None, "{}: move the tests below", file.path.display());
    }
    let modules = "#[cfg(test)]\nmod a {\n    fn b() {}\n}\n\n#[cfg(test)]\npub mod c;\n";
    assert_eq!(test_modules(modules), Ok(vec!["a", "c"]));
    for stray in ["use a::b;", "#[cfg(test)]\nfn a() {}"] {
        let code = format!("{modules}{stray}\n");
        assert!(test_modules(&code).is_err(), "{stray}");
    }
}

#[test]
fn no_file_is_long() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git")
        .args(["ls-files", "*.rs", "*.md", "Makefile", "release", "envoy"])
        .current_dir(root)
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("src/lib.rs"), "{listed}");
    for name in listed.lines() {
        let lines = fs::read_to_string(root.join(name)).unwrap().lines().count();
        assert!(lines <= MOST_LINES, "{name}: {lines} lines");
    }
}
