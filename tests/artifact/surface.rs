//! What the module shows to a host: exports, imports, size, memory at start, and nothing of where it was built.

use wasmi::ExternType;

use crate::golden;
use crate::module::artifact;
use crate::process::Process;
use crate::shared_data::Dialect;
use crate::worker::Worker;

/// What it is, so that it grows no further; 250,000 is where it has to get to.
const MAX_BYTES: usize = 350_000;

/// The most linear memory before a configuration: 64 KiB pages that every VM of every worker holds.
const MAX_PAGES_AT_START: usize = 20;

#[test]
fn exports() {
    for (case, host) in [("exports", Dialect::Envoy), ("exports-kong", Dialect::Kong)] {
        golden::check(case, &exported(host));
    }
}

fn exported(host: Dialect) -> String {
    let mut lines: Vec<_> = artifact(host)
        .module
        .exports()
        .map(|export| format!("{}{}", export.name(), signature(export.ty())))
        .collect();
    lines.sort();
    lines.join("\n")
}

#[test]
fn imports() {
    let mut lines: Vec<_> = artifact(Dialect::Envoy)
        .module
        .imports()
        .map(|import| {
            format!(
                "{}.{}{}",
                import.module(),
                import.name(),
                signature(import.ty())
            )
        })
        .collect();
    lines.sort();
    golden::check("imports", &lines.join("\n"));
}

#[test]
fn the_module_is_small() {
    let bytes = artifact(Dialect::Envoy).bytes.len();
    assert!(bytes <= MAX_BYTES, "{bytes} bytes, at most {MAX_BYTES}");
}

#[test]
fn memory_at_start_is_small() {
    let worker = Worker::new(&Process::new(Dialect::Envoy));
    let pages = worker.memory() / 65_536;
    assert!(
        pages <= MAX_PAGES_AT_START,
        "{pages} pages, at most {MAX_PAGES_AT_START}"
    );
}

/// A folder in it would make it another module on each machine, and tell who built it.
#[test]
fn it_names_no_folder_of_the_machine() {
    let environment = ["HOME", "CARGO_HOME", "RUSTUP_HOME"].map(std::env::var);
    let folders = environment.into_iter().flatten();
    for folder in folders.chain([env!("CARGO_MANIFEST_DIR").to_owned()]) {
        let within = format!("{}/", folder.trim_end_matches('/'));
        // On a machine whose folders are called as all are in it, it tells nothing.
        if ["/", "/cargo/", "/weir/"].contains(&&*within) {
            continue;
        }
        assert!(!artifact(Dialect::Envoy).names(&within), "{within}");
    }
    assert!(artifact(Dialect::Envoy).holds("/cargo/serde_json-"));
}

fn signature(ty: &ExternType) -> String {
    let ExternType::Func(ty) = ty else {
        return String::new();
    };
    let list = |types: &[wasmi::ValType]| {
        types
            .iter()
            .map(|ty| format!("{ty:?}").to_lowercase())
            .collect::<Vec<_>>()
            .join(" ")
    };
    format!(" ({}) -> ({})", list(ty.params()), list(ty.results()))
}
