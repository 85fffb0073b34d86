//! What ships, built again where everything else differs: the same bytes.

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test stops where it is surprised, and looks for the machine's caches"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The sources of this package, in whose `dist/` stands what was built of them.
const HERE: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn another_folder_and_home_make_the_same_bytes() {
    let elsewhere = TempDir::new().unwrap();
    let [sources, home, cargo_home] =
        ["sources", "home", "cargo"].map(|name| elsewhere.path().join(name));
    copy_sources(&sources);
    fs::create_dir(&home).unwrap();
    unpack_crates_again(&cargo_home);

    let build = ["-c", "umask 077 && exec make dist"];
    let built = Command::new("bash")
        .args(build)
        .current_dir(&sources)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap())
        .env("RUSTUP_HOME", home_of("RUSTUP_HOME", ".rustup"))
        .env("CARGO_HOME", cargo_home)
        .env("CARGO_NET_OFFLINE", "true")
        .env("HOME", home)
        .env("TZ", "Pacific/Kiritimati")
        // What somebody set for builds of other things.
        .env("RUSTFLAGS", "-Copt-level=0")
        .status()
        .unwrap();
    assert!(built.success());

    let theirs = files(&sources.join("dist"));
    let ours = files(&Path::new(HERE).join("dist"));
    let names = ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>();
    let differs = |name: &&PathBuf| ours.get(*name) != theirs.get(*name);
    let differing: Vec<_> = names.into_iter().filter(differs).collect();
    assert!(
        differing.is_empty(),
        "built elsewhere these are others: {differing:?}; is dist/ what `make dist` makes of these sources?"
    );
    assert!(ours.contains_key(Path::new("weir.wasm")));
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

/// Another home of cargo, with what this one has downloaded and nothing of what it has unpacked.
fn unpack_crates_again(cargo_home: &Path) {
    let registry = cargo_home.join("registry");
    fs::create_dir_all(&registry).unwrap();
    for downloaded in ["cache", "index"] {
        let ours = home_of("CARGO_HOME", ".cargo").join("registry");
        symlink(ours.join(downloaded), registry.join(downloaded)).unwrap();
    }
}

/// The folder of this variable, or the one in the home that is meant without.
fn home_of(variable: &str, folder: &str) -> PathBuf {
    let set = env::var_os(variable).map(PathBuf::from);
    set.unwrap_or_else(|| Path::new(&env::var_os("HOME").unwrap()).join(folder))
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

/// What a command that succeeds prints.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
