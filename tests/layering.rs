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

/// The longest that a file may be.
const MOST_LINES: usize = 400;

/// What only the edge to the proxy may name.
const OUTSIDE: [&str; 7] = [
    "extern ",
    "Instant::now",
    "SystemTime",
    "std::env",
    "std::time",
    "wasm_import_module",
    "crate::host",
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
    lines: usize,
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
            lines: text.lines().count(),
            path,
        }
    }

    fn is_test(&self) -> bool {
        self.module.split("::").any(|part| part == "tests")
    }

    fn is_edge(&self) -> bool {
        self.module.split("::").next() == Some("host")
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
    layers
}

/// The place of the layer that a module belongs to: of those that contain it the innermost.
fn layer(layers: &[String], module: &str) -> Option<usize> {
    let contains = |layer: &&String| {
        let rest = module.strip_prefix(layer.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let innermost = layers
        .iter()
        .filter(contains)
        .max_by_key(|layer| layer.len())?;
    layers.iter().position(|layer| layer == innermost)
}

/// Every path into the crate that some code names.
fn uses(code: &str) -> impl Iterator<Item = &str> {
    code.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|char: char| !(char.is_alphanumeric() || char == '_' || char == ':'));
        rest.split_at(end.unwrap_or(rest.len())).0
    })
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
    for file in files.iter().filter(|file| !file.is_test()) {
        let own = layer(&layers, &file.module);
        for used in uses(&file.code) {
            assert!(
                layer(&layers, used) <= own,
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
    for file in files().iter().filter(|file| !file.is_edge()) {
        for name in OUTSIDE {
            assert!(
                !file.code.contains(name),
                "{}: {name} belongs to src/host",
                file.path.display()
            );
        }
    }
}

/// The first line that belongs to no module of tests, of what stands from the first [`TESTS`] on.
fn stray(tests: &str) -> Option<&str> {
    let mut lines = tests.lines().filter(|line| !line.is_empty());
    while let Some(marker) = lines.next() {
        let module = lines.next().unwrap_or_default();
        let is_module = ["mod ", "pub mod ", "pub(crate) mod "]
            .iter()
            .any(|begin| module.starts_with(begin));
        if marker != TESTS || !is_module {
            return Some(marker);
        }
        if module.ends_with('{') {
            lines.by_ref().find(|line| *line == "}");
        }
    }
    None
}

#[test]
fn tests_come_last() {
    for file in files() {
        let stray = stray(&file.tests);
        assert_eq!(stray, None, "{}: move the tests below", file.path.display());
    }
    let module = "#[cfg(test)]\nmod tests {\n    fn a() {}\n}\n\n#[cfg(test)]\npub mod b;\n";
    assert_eq!(stray(module), None);
    for code in ["use a::b;", "#[cfg(test)]\nfn a() {}"] {
        assert!(stray(&format!("{module}{code}")).is_some(), "{code}");
    }
}

#[test]
fn no_file_is_long() {
    for file in files() {
        assert!(
            file.lines <= MOST_LINES,
            "{}: {} lines",
            file.path.display(),
            file.lines
        );
    }
}
