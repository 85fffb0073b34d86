//! What the Makefile and its scripts do not ship, whatever else they are asked for or stand in.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{HERE, files, git, make, refusal, run};

/// A registry gets an image of the commit that is checked out, or none.
#[test]
fn an_image_of_another_commit_is_not_pushed() {
    let elsewhere = TempDir::new().unwrap();
    let layout = elsewhere.path().join("oci");
    run(Command::new("cp")
        .arg("-r")
        .arg(Path::new(HERE).join("dist/oci"))
        .arg(&layout));
    let revision = run(Command::new("release/revision").current_dir(HERE));
    let other = "0".repeat(40);
    for (path, bytes) in files(&layout) {
        if let Ok(text) = str::from_utf8(&bytes) {
            fs::write(layout.join(path), text.replace(revision.trim(), &other)).unwrap();
        }
    }
    let refused = refusal(
        Command::new("release/push")
            .arg(&layout)
            .arg("127.0.0.1:9/weir:other")
            .current_dir(HERE),
    );
    let expected = format!("is of commit {other}, this is {revision}");
    assert!(refused.contains(expected.trim()), "{refused}");
}

/// The digest of an image is written into an example, and the image is still the one that the commit makes.
#[test]
fn what_ships_is_not_made_of_examples() {
    let elsewhere = TempDir::new().unwrap();
    let here = elsewhere.path();
    copy_recipes(here);
    for (folder, file) in [("examples", "wasmplugin.yaml"), ("src", "lib.rs")] {
        fs::create_dir(here.join(folder)).unwrap();
        fs::write(here.join(folder).join(file), "before").unwrap();
    }
    run(git(here).args(["init", "-q"]));
    run(git(here).args(["add", "."]));
    commit(here);
    let revision = || run(Command::new("release/revision").current_dir(here));
    let of_commit = revision();
    fs::write(here.join("examples/wasmplugin.yaml"), "after").unwrap();
    assert_eq!(revision(), of_commit);
    fs::write(here.join("src/lib.rs"), "after").unwrap();
    assert_eq!(revision(), format!("{}-dirty\n", of_commit.trim()));
}

#[test]
fn what_ships_is_of_a_commit() {
    let elsewhere = TempDir::new().unwrap();
    copy_recipes(elsewhere.path());
    for what in ["oci", "dist"] {
        let refused = refusal(make(what).current_dir(elsewhere.path()));
        assert!(refused.contains("no git checkout"), "{refused}");
        assert!(!elsewhere.path().join("dist").exists());
    }
}

/// Neither make nor a shell runs, replaces or cuts what stands in the name of an image.
#[test]
fn a_reference_is_taken_as_it_is_typed() {
    let elsewhere = TempDir::new().unwrap();
    copy_recipes(elsewhere.path());
    let push = |reference: &str| {
        let typed = format!("REF={reference}");
        refusal(make("push").arg(typed).current_dir(elsewhere.path()))
    };
    for (typed, shown) in [
        ("$(shell touch run)", r"\$\(shell\ touch\ run\)"),
        ("`touch${IFS}run`", r"\`touch\$\{IFS\}run\`"),
        ("a$b", r"a\$b"),
        ("a b", r"a\ b"),
        ("a#b", "a#b"),
        ("*", r"\*"),
        ("--help", "--help"),
        // Of no registry, so it would be of a public one.
        ("weir:0.1.0", "weir:0.1.0"),
        ("weir/weir", "weir/weir"),
    ] {
        let refused = push(typed);
        let expected = format!("REF is {shown}; expected as in");
        assert!(refused.contains(&expected), "{refused}");
        assert!(!elsewhere.path().join("run").exists(), "{typed}");
    }
    // Before anything is built to be pushed, which elsewhere nothing can be.
    let building = make("oci")
        .args(["push", "REF=weir"])
        .current_dir(elsewhere.path())
        .output();
    let refused = String::from_utf8(building.unwrap().stderr).unwrap();
    assert!(refused.contains("REF is weir; expected as in"), "{refused}");
    for allowed in ["docker://[::1]:5000/weir:0.1.0", "localhost/a_b/weir"] {
        let refused = push(allowed);
        assert!(refused.contains("dist/oci is missing"), "{refused}");
    }
}

/// Else an archive of sources, unpacked in a checkout of something else, would be released as a commit of that.
#[test]
fn what_ships_is_of_a_commit_of_its_own() {
    let elsewhere = TempDir::new().unwrap();
    commit_nothing(elsewhere.path());
    let unpacked = elsewhere.path().join("weir-0.1.0");
    fs::create_dir(&unpacked).unwrap();
    copy_recipes(&unpacked);
    let refused = refusal(make("oci").current_dir(&unpacked));
    assert!(
        refused.contains("a checkout of something else"),
        "{refused}"
    );
}

/// What is made and does not get ready leaves what stood there before, which nobody takes for another.
#[test]
fn nothing_ships_by_half() {
    let elsewhere = TempDir::new().unwrap();
    copy_recipes(elsewhere.path());
    let path = path_with(elsewhere.path(), "cargo", "echo '{'\nexit 1");
    let (dist, layout) = (elsewhere.path().join("dist"), elsewhere.path().join("oci"));
    for (folder, file) in [(&dist, "config.schema.json"), (&layout, "index.json")] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join(file), "before").unwrap();
    }
    refusal(
        make("schemas")
            .current_dir(elsewhere.path())
            .env("PATH", &path),
    );
    refusal(
        Command::new("release/image")
            .arg("Cargo.toml")
            .arg(&layout)
            .current_dir(HERE)
            .env("SOURCE_DATE_EPOCH", "0")
            .env("PATH", path),
    );
    for (folder, file) in [(dist, "config.schema.json"), (layout, "index.json")] {
        let left = files(&folder);
        assert_eq!(left[Path::new(file)], b"before");
        assert_eq!(left.len(), 1);
    }
}

/// What an earlier commit left, or a download, would be taken for a part of the release.
#[test]
fn nothing_else_stands_beside_a_release() {
    let elsewhere = TempDir::new().unwrap();
    copy_recipes(elsewhere.path());
    commit_nothing(elsewhere.path());
    fs::create_dir(elsewhere.path().join("dist")).unwrap();
    fs::write(elsewhere.path().join("dist/weir-kong.meta.json"), "{}").unwrap();
    let refused = refusal(make("dist").current_dir(elsewhere.path()));
    assert!(refused.contains("dist/weir-kong.meta.json"), "{refused}");
}

/// Another binaryen builds, and says that it makes other bytes; it ships nothing.
#[test]
fn another_binaryen_ships_nothing() {
    let elsewhere = TempDir::new().unwrap();
    let path = path_with(elsewhere.path(), "wasm-opt", "echo wasm-opt version 1");
    let refused = refusal(make("binaryen").current_dir(HERE).env("PATH", &path));
    assert!(refused.contains("not to be shipped"), "{refused}");
    let told = make("wasm-opt")
        .current_dir(HERE)
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(told.status.success());
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("this is wasm-opt version 1"), "{told}");
}

#[test]
fn help_names_what_there_is() {
    let help = run(make("help").current_dir(HERE));
    for target in ["demo", "test", "dist", "push"] {
        let line = format!("{target} ");
        assert!(help.lines().any(|each| each.starts_with(&line)), "{help}");
    }
}

/// What `make` reads, and nothing that could be built.
fn copy_recipes(to: &Path) {
    for path in ["Makefile", "release", "rust-toolchain.toml"] {
        run(Command::new("cp")
            .args(["-r", path])
            .arg(to)
            .current_dir(HERE));
    }
}

/// A checkout of a commit without files.
fn commit_nothing(folder: &Path) {
    run(git(folder).args(["init", "-q"]));
    commit(folder);
}

/// Commits what is staged, if only nothing.
fn commit(folder: &Path) {
    let author = ["-c", "user.name=x", "-c", "user.email=x"];
    let commit = ["commit", "-q", "--allow-empty", "-m", "x"];
    // Somebody's own settings may sign commits, or run hooks.
    run(git(folder)
        .args(author)
        .args(commit)
        .env("GIT_CONFIG_GLOBAL", "/dev/null"));
}

/// A `PATH` on which a command is found that does something else, below this folder.
fn path_with(folder: &Path, command: &str, script: &str) -> String {
    let first = folder.join("bin");
    fs::create_dir(&first).unwrap();
    fs::write(first.join(command), format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(first.join(command), fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", first.display(), env::var("PATH").unwrap())
}
