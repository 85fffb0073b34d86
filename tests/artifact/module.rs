//! The modules as they ship, compiled once for all tests.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::shared_data::Dialect;

use wasmi::{CompilationMode, Config, Engine, Module};

/// The shipped file and what the interpreter made of it.
pub struct Artifact {
    pub engine: Engine,
    pub module: Module,
    pub bytes: Vec<u8>,
}

impl Artifact {
    /// Whether this text is anywhere in the file.
    pub fn holds(&self, text: &str) -> bool {
        let mut windows = self.bytes.windows(text.len());
        windows.any(|window| window == text.as_bytes())
    }

    /// Whether it names this folder of the machine. `src/host/root/`, which lines of the log carry, is not `/root/`.
    pub fn names(&self, folder: &str) -> bool {
        let mut windows = self.bytes.windows(folder.len()).enumerate();
        windows.any(|(at, window)| {
            window == folder.as_bytes() && !self.bytes[..at].ends_with(b"src/host")
        })
    }
}

/// The module under test: that for Envoy, `dist/weir.wasm` or the file that `WEIR_WASM` names, or the one for Kong beside
/// it.
///
/// Panics, with what to do about it, when there is none: a suite that skips itself proves nothing.
pub fn artifact(host: Dialect) -> &'static Artifact {
    static ENVOY: OnceLock<Artifact> = OnceLock::new();
    static KONG: OnceLock<Artifact> = OnceLock::new();
    let (artifact, path) = match host {
        Dialect::Envoy => (&ENVOY, path()),
        Dialect::Kong => (&KONG, path().with_file_name("weir-kong.wasm")),
    };
    artifact.get_or_init(|| {
        let wasm = std::fs::read(&path).unwrap_or_else(|error| {
            panic!(
                "{}: {error}; run `make build` first, or set WEIR_WASM",
                path.display()
            )
        });
        let mut config = Config::default();
        // Translated ahead, so that fuel counts what runs and not what is translated on first use.
        config
            .consume_fuel(true)
            .compilation_mode(CompilationMode::Eager);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, &wasm).unwrap();
        Artifact {
            engine,
            module,
            bytes: wasm,
        }
    })
}

fn path() -> PathBuf {
    std::env::var_os("WEIR_WASM").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/dist/weir.wasm")),
        PathBuf::from,
    )
}
