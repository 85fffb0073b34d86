//! The core as 32-bit wasm asks nothing of whoever runs it.
//!
//! `make` builds the core's unit tests for `wasm32-unknown-unknown` and names the file in `WEIR_CORE`. What
//! the test harness needs it imports from modules of wasm-bindgen's own; anything else would be a hostcall that
//! has crept in, of the core or of a crate that it uses. The standard library's own clocks, files and environment
//! import nothing on this target, where they only fail: that the core names none is for `tests/layering.rs`.

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test stops where it is surprised"
)]

use wasmi::{Engine, Module};

#[test]
fn the_core_imports_nothing() {
    let path = std::env::var_os("WEIR_CORE").expect(
        "WEIR_CORE names the core's tests; `make test` sets it, from \
         `cargo test --lib --target wasm32-unknown-unknown --no-run`",
    );
    let bytes = std::fs::read(path).expect("the core's tests are built");
    let module = Module::new(&Engine::default(), &bytes).expect("it is a module");
    let foreign: Vec<String> = module
        .imports()
        .filter(|import| !import.module().starts_with("__wbindgen"))
        .map(|import| format!("{}.{}", import.module(), import.name()))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    assert!(module.imports().len() > 0, "the harness itself imports");
}
