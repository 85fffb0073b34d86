//! A real registry, and what its clients do with it: push as `make push` does, pull by its own API.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use hyper::http::request::Builder;
use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Answer, Connection, get};
use crate::process::{Process, until_ready};
use crate::proxy::repository;

/// A registry on the loopback, without encryption. It is killed when this is dropped, a panic included.
pub struct Registry {
    _process: Process,
    _dir: TempDir,
    pub address: SocketAddr,
}

impl Registry {
    /// An empty one, once it listens.
    pub async fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let (settings, log) = (dir.path().join("settings.yaml"), dir.path().join("log"));
        let stored = dir.path().join("stored");
        let text = format!(
            "version: 0.1\nhttp: {{ addr: '127.0.0.1:0' }}\nstorage: {{ filesystem: {{ rootdirectory: '{}' }} }}\n",
            stored.display()
        );
        fs::write(&settings, text).unwrap();
        let output = fs::File::create(&log).unwrap();
        let mut command = Command::new(repository(".tools/bin/docker-registry"));
        command.arg("serve").arg(settings);
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let mut process = Process::start(&mut command, "docker-registry");
        let listening = async || address_in(&fs::read_to_string(&log).ok()?);
        let address = until_ready([&mut process], "the registry", listening).await;
        let said = fs::read_to_string(&log).unwrap();
        Self {
            _process: process,
            _dir: dir,
            address: address.unwrap_or_else(|| panic!("the registry ended: {said}")),
        }
    }

    /// Pushes what `dist/oci` holds, as an operator does; gives what that printed.
    pub fn push(&self, name: &str) -> String {
        let pushed = Command::new("make")
            .arg("push")
            // As a WasmPlugin has it.
            .arg(format!("REF=oci://{}/{name}", self.address))
            .arg("PUSH_FLAGS=--dest-tls-verify=false")
            .current_dir(repository(""))
            // Where the tests themselves are run by a make.
            .env_remove("MAKEFLAGS")
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&pushed.stderr);
        assert!(pushed.status.success(), "{complaint}");
        String::from_utf8(pushed.stdout).unwrap()
    }

    /// Pulls an image, with every byte held against its digest, and unpacks its only layer.
    pub async fn pull(&self, repository: &str, tag: &str) -> Image {
        let dir = TempDir::new().unwrap();
        let path = format!("/v2/{repository}/manifests/{tag}");
        let asked = get(&path).header("accept", "application/vnd.oci.image.manifest.v1+json");
        let answer = self.ask(asked).await;
        let digest = answer.header("docker-content-digest").unwrap().to_owned();
        let manifest = dir.path().join("manifest.json");
        keep(&answer, &digest, &manifest);
        let manifest = answer.json();
        let [layer] = manifest["layers"].as_array().unwrap().as_slice() else {
            panic!("not one layer: {manifest}");
        };
        let blob = layer["digest"].as_str().unwrap();
        let answer = self
            .ask(get(&format!("/v2/{repository}/blobs/{blob}")))
            .await;
        let packed = dir.path().join("layer.tar.gz");
        keep(&answer, blob, &packed);
        let mut tar = Command::new("tar");
        let tar = tar.arg("-xzf").arg(&packed).arg("-C").arg(dir.path());
        assert!(tar.status().unwrap().success());
        Image {
            digest,
            manifest,
            dir,
        }
    }

    async fn ask(&self, request: Builder) -> Answer {
        let answer = Connection::http1(self.address).await.send(request).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    }
}

/// An image that was pulled; its files are gone once it is dropped.
pub struct Image {
    pub digest: String,
    pub manifest: Value,
    dir: TempDir,
}

impl Image {
    /// The module in it.
    pub fn module(&self) -> PathBuf {
        self.dir.path().join("plugin.wasm")
    }
}

/// The SHA-256 of a file, as coreutils see it.
pub fn sha256(file: &Path) -> String {
    let summed = Command::new("sha256sum").arg(file).output().unwrap();
    assert!(summed.status.success());
    let line = String::from_utf8(summed.stdout).unwrap();
    line.split(' ').next().unwrap().to_owned()
}

/// Writes a body into a file, if it has this digest.
fn keep(answer: &Answer, digest: &str, file: &Path) {
    fs::write(file, answer.bytes()).unwrap();
    assert_eq!(format!("sha256:{}", sha256(file)), digest);
}

/// Where a registry with this log listens.
fn address_in(log: &str) -> Option<SocketAddr> {
    let (_, address) = log.split_once("listening on ")?;
    address.split('"').next()?.parse().ok()
}
