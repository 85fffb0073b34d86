//! The module that ships, with traps added to it.
//!
//! Nothing in the sources can trap so, and no build of them makes this module: it is made of the finished one, by putting
//! a function in front of two of those that the host calls.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hyper::http::request::Builder;
use tempfile::TempDir;

use crate::client::get;
use crate::proxy::module;

/// A request or an answer with more headers than this runs into a trap. The host passes their number, so that nothing
/// has to be read.
pub const MOST_HEADERS: usize = 40;

/// A module with traps; its file is gone once this is dropped.
pub struct Trapping {
    dir: TempDir,
}

impl Trapping {
    pub fn new() -> Self {
        let trapping = Self {
            dir: TempDir::new().unwrap(),
        };
        let text = trapping.dir.path().join("weir.wat");
        binaryen("wasm-dis", &module(), &text);
        let shipped = fs::read_to_string(&text).unwrap();
        let request = guard(&shipped, "proxy_on_request_headers", 3, 1, "(result i32)");
        let both = guard(&request, "proxy_on_http_call_response", 5, 2, "");
        fs::write(&text, both).unwrap();
        binaryen("wasm-as", &text, &trapping.path());
        trapping
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("weir.wasm")
    }
}

/// A request that runs into one.
pub fn trapping(path: &str) -> Builder {
    (0..=MOST_HEADERS).fold(get(path), |request, at| {
        request.header(format!("x-trap-{at}"), "1")
    })
}

/// Puts a function in front of an exported one, which traps on too many headers: `headers` is the place of their number
/// among the `parameters`.
fn guard(module: &str, export: &str, parameters: usize, headers: usize, result: &str) -> String {
    let exported = format!("(export \"{export}\" (func ");
    let (before, after) = module.split_once(&exported).unwrap();
    let (next, after) = after.split_once("))").unwrap();
    let after = after.trim_end().strip_suffix(')').unwrap();
    let types = "i32 ".repeat(parameters);
    let passed: String = (0..parameters)
        .map(|at| format!("(local.get {at}) "))
        .collect();
    format!(
        "{before}{exported}$guard_{export})){after}
 (func $guard_{export} (param {types}) {result}
  (block $go_on
   (br_if $go_on (i32.le_u (local.get {headers}) (i32.const {MOST_HEADERS})))
   (unreachable))
  (call {next} {passed})))
"
    )
}

/// Runs a tool of the package that also made the module.
fn binaryen(tool: &str, from: &Path, to: &Path) {
    let made = Command::new(tool)
        .args(["--enable-bulk-memory", "--enable-sign-ext"])
        .args([
            "--enable-nontrapping-float-to-int",
            "--enable-mutable-globals",
        ])
        .arg(from)
        .arg("-o")
        .arg(to)
        .status()
        .unwrap_or_else(|error| panic!("{tool}: {error}: run `make test`, which installs it"));
    assert!(made.success(), "{tool} failed");
}
