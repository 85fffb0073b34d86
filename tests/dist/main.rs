//! What ships: that it is whole, readable by others, and the same bytes when it is built where everything else differs.

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test stops where it is surprised, and looks for the machine's caches"
)]

mod recipes;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The sources of this package, in whose `dist/` stands what was built of them.
const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// What cargo finds in a folder above, which somebody set for builds of other things.
const OTHER_SETTINGS: &str = r#"
[build]
incremental = true
target = "wasm32-wasip1"
target-dir = "built"
[target.wasm32-wasip1]
linker = "no-linker"
[profile.release]
opt-level = 1
debug = true
debug-assertions = true
overflow-checks = true
lto = false
codegen-units = 16
[profile.release.package]
serde.opt-level = 3
"#;

#[test]
fn another_folder_and_home_make_the_same_bytes() {
    let elsewhere = TempDir::new().unwrap();
    // With a blank, and called as the crate is, which a clone is called without being asked.
    let [sources, home, cargo_home] =
        ["a clone/weir", "a home", "a cargo"].map(|name| elsewhere.path().join(name));
    copy_sources(&sources);
    fs::create_dir(&home).unwrap();
    unpack_crates_again(&cargo_home);
    fs::create_dir(elsewhere.path().join(".cargo")).unwrap();
    fs::write(elsewhere.path().join(".cargo/config.toml"), OTHER_SETTINGS).unwrap();

    let build = ["-c", "umask 077 && exec make dist"];
    let time = env::var_os("SOURCE_DATE_EPOCH");
    run(Command::new("bash")
        .args(build)
        .current_dir(&sources)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap())
        .env("RUSTUP_HOME", home_of("RUSTUP_HOME", ".rustup"))
        .env("CARGO_HOME", cargo_home)
        .env("CARGO_NET_OFFLINE", "true")
        .env("HOME", home)
        .env("TZ", "Pacific/Kiritimati")
        .envs(time.map(|time| ("SOURCE_DATE_EPOCH", time)))
        // What somebody set for builds of other things.
        .env("RUSTUP_TOOLCHAIN", "stable")
        .env("RUSTFLAGS", "-Copt-level=0")
        .env("CARGO_BUILD_TARGET", "wasm32-unknown-unknown")
        .env("CARGO_TARGET_DIR", elsewhere.path().join("built"))
        .env("CARGO_INCREMENTAL", "1")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_DEV_DEBUG", "0"));

    let theirs = files(&sources.join("dist"));
    assert_eq!(summed(&theirs), theirs.keys().collect::<Vec<_>>());
    let ours = files(&Path::new(HERE).join("dist"));
    let differs = |path: &&PathBuf| ours.get(*path) != theirs.get(*path);
    let differing: Vec<_> = theirs.keys().filter(differs).collect();
    assert!(
        differing.is_empty(),
        "built elsewhere these are others: {differing:?}; is dist/ what `make dist` makes of these sources?"
    );
}

/// A reader of images that others wrote finds it well formed, and the module in it.
#[test]
fn the_image_unpacks_to_the_module() {
    let elsewhere = TempDir::new().unwrap();
    let bundle = elsewhere.path().join("bundle");
    let image = format!("{HERE}/dist/oci:{}", env!("CARGO_PKG_VERSION"));
    let unpack = ["unpack", "--rootless", "--image", &image];
    run(Command::new("umoci").args(unpack).arg(&bundle));
    let unpacked = files(&bundle.join("rootfs"));
    let shipped = fs::read(Path::new(HERE).join("dist/weir.wasm")).unwrap();
    assert_eq!(unpacked.len(), 1);
    assert!(unpacked[Path::new("plugin.wasm")] == shipped);
}

/// What an operator downloads says itself whether it is whole.
#[test]
fn the_checksums_are_right() {
    let check = ["--check", "--strict", "--quiet", "SHA256SUMS"];
    run(Command::new("sha256sum")
        .args(check)
        .current_dir(Path::new(HERE).join("dist")));
}

/// So do its parts, by what the page on installing tells to type: a release has no `oci/`, and who wants one module takes one.
#[test]
fn the_checksums_are_right_of_a_part() {
    let page = fs::read_to_string(Path::new(HERE).join("docs/install.md")).unwrap();
    let mut lines = page.lines();
    let command = lines.find(|line| line.starts_with("sha256sum --check"));
    let check = || {
        let mut check = Command::new("bash");
        // What it says is told in the language of whoever runs it.
        check.args(["-c", command.unwrap()]).env("LC_ALL", "C");
        check
    };
    let elsewhere = TempDir::new().unwrap();
    for file in ["SHA256SUMS", "weir.wasm"] {
        fs::copy(
            Path::new(HERE).join("dist").join(file),
            elsewhere.path().join(file),
        )
        .unwrap();
    }
    run(check().current_dir(elsewhere.path()));
    fs::write(elsewhere.path().join("weir.wasm"), "another").unwrap();
    let refused = refusal(check().current_dir(elsewhere.path()));
    assert!(refused.contains("did NOT match"), "{refused}");
}

/// A clone of this commit, with what has been changed since.
fn copy_sources(to: &Path) {
    run(git(Path::new(HERE))
        .args(["clone", "-q", "--no-checkout", "."])
        .arg(to));
    run(git(to).args(["read-tree", "HEAD"]));
    let listed = run(git(Path::new(HERE)).args(["ls-files", "-z", "-co", "--exclude-standard"]));
    let present = |path: &&str| Path::new(HERE).join(path).exists();
    for path in listed.split_terminator('\0').filter(present) {
        let copy = to.join(path);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(Path::new(HERE).join(path), copy).unwrap();
    }
    symlink(Path::new(HERE).join(".tools"), to.join(".tools")).unwrap();
}

/// Another home of cargo, with what this one has downloaded, and from where, but nothing of what it has unpacked.
fn unpack_crates_again(cargo_home: &Path) {
    fs::create_dir_all(cargo_home.join("registry")).unwrap();
    let ours = home_of("CARGO_HOME", ".cargo");
    for kept in ["registry/cache", "registry/index", "config.toml"] {
        if ours.join(kept).exists() {
            symlink(ours.join(kept), cargo_home.join(kept)).unwrap();
        }
    }
}

/// The folder of this variable, or the one in the home that is meant without.
fn home_of(variable: &str, folder: &str) -> PathBuf {
    let set = env::var_os(variable).map(PathBuf::from);
    set.unwrap_or_else(|| Path::new(&env::var_os("HOME").unwrap()).join(folder))
}

/// The files of which there are checksums, and the one with those.
fn summed(dist: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<&Path> {
    let sums = Path::new("SHA256SUMS");
    let lines = str::from_utf8(&dist[sums]).unwrap().lines();
    let mut summed: Vec<_> = lines.map(|line| Path::new(&line[66..])).collect();
    summed.push(sums);
    summed.sort();
    summed
}

/// The files below a folder, by their paths in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), bytes);
            }
        }
    }
    files
}

fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder);
    git
}

/// A `make` that knows nothing of the one that the tests themselves are run by.
fn make(what: &str) -> Command {
    let mut make = Command::new("make");
    make.arg(what).env_remove("MAKEFLAGS");
    make
}

/// What a command says that fails.
fn refusal(command: &mut Command) -> String {
    let output = output(command);
    assert!(!output.status.success(), "{command:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// What a command that succeeds prints.
fn run(command: &mut Command) -> String {
    let output = output(command);
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// How a command ends, whose checkout is the one that it stands in: none around the temporary folders, and not that of a
/// git hook which runs the tests.
fn output(command: &mut Command) -> Output {
    command
        .env("GIT_CEILING_DIRECTORIES", env::temp_dir())
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .output()
        .unwrap()
}
