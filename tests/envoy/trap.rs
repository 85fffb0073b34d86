//! The module that ships, with a trap added to it.
//!
//! Nothing in the sources can trap so, and no build of them makes this module: it is made of the finished one, by putting
//! a function in front of its `proxy_on_request_headers`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hyper::http::request::Builder;
use tempfile::TempDir;

use crate::client::get;
use crate::proxy::module;

/// A request with more headers than this runs into the trap. The host passes their number, so that nothing of the request
/// has to be read.
const MOST_HEADERS: usize = 40;

/// What is put in front; `$next` is the module's own.
const TRAP: &str = r#"
 (func $trap (param $context i32) (param $headers i32) (param $end i32) (result i32)
  (block $go_on
   (br_if $go_on (i32.le_u (local.get $headers) (i32.const MOST_HEADERS)))
   (unreachable))
  (call $next (local.get $context) (local.get $headers) (local.get $end)))
"#;

/// A module with a trap; its file is gone once this is dropped.
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
        let (before, after) = shipped
            .split_once("(export \"proxy_on_request_headers\" (func ")
            .unwrap();
        let (next, after) = after.split_once("))").unwrap();
        let after = after.trim_end().strip_suffix(')').unwrap();
        let trap = TRAP
            .replace("$next", next)
            .replace("MOST_HEADERS", &MOST_HEADERS.to_string());
        let export = "(export \"proxy_on_request_headers\" (func $trap))";
        fs::write(&text, format!("{before}{export}{after}{trap})")).unwrap();
        binaryen("wasm-as", &text, &trapping.path());
        trapping
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("weir.wasm")
    }
}

/// A request that runs into the trap.
pub fn trapping(path: &str) -> Builder {
    (0..=MOST_HEADERS).fold(get(path), |request, at| {
        request.header(format!("x-trap-{at}"), "1")
    })
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
