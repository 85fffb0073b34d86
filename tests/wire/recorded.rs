//! The recordings in `transcripts/`: one exchange a line.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use weir::global::wire::{Answer, Engine, Fault, Told};

/// What an engine says of every ask of a call.
pub type Read = Result<Vec<Result<Told, Fault>>, Fault>;

/// The engines, and what their files are called.
pub const ENGINES: [(Engine, &str); 3] = [
    (Engine::EnvoyRatelimit, "envoy_ratelimit"),
    (Engine::Gubernator, "gubernator"),
    (Engine::Limitador, "limitador"),
];

/// One request and what came back.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub engine: Engine,
    pub case: String,
    pub path: String,
    pub request: String,
    pub status: Option<u16>,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A file of this folder.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/wire")
        .join(name)
}

/// All that was recorded with an engine.
pub fn exchanges(engine: Engine, name: &str) -> Vec<Exchange> {
    let text = fs::read_to_string(file(&format!("transcripts/{name}.jsonl"))).unwrap();
    let exchanges = text.lines().map(|line| Exchange::new(engine, line));
    exchanges.collect()
}

/// All that was recorded.
pub fn all() -> Vec<Exchange> {
    let all = ENGINES.map(|(engine, name)| exchanges(engine, name));
    all.into_iter().flatten().collect()
}

impl Exchange {
    fn new(engine: Engine, line: &str) -> Self {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (request, response) = (&line["request"], &line["response"]);
        let headers = response["headers"].as_object().into_iter().flatten();
        Self {
            engine,
            case: text(&line["case"]),
            path: text(&request["path"]),
            request: text(&request["body"]),
            status: response["status"]
                .as_u64()
                .filter(|status| *status > 0)
                .map(|status| status as u16),
            headers: headers
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
            body: text(&response["body"]).into_bytes(),
        }
    }

    /// The request, where it was recorded whole and is JSON.
    pub fn asked(&self) -> Option<Value> {
        serde_json::from_str(&self.request).ok()
    }

    /// How many asks it held; 1 where it held none.
    pub fn asks(&self) -> usize {
        let list = |name: &str| self.asked()?[name].as_array().map(Vec::len);
        match self.engine {
            // Its request was recorded without its end.
            Engine::EnvoyRatelimit if self.case == "batch-100" => 100,
            Engine::EnvoyRatelimit => list("descriptors").unwrap_or(1),
            Engine::Gubernator => list("requests").unwrap_or(1),
            Engine::Limitador => 1,
        }
    }

    /// What is made of its answer.
    pub fn read(&self) -> Read {
        let headers = self.headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let answer = Answer {
            status: self.status,
            headers: &headers,
            body: &self.body,
        };
        self.engine.read(self.asks(), &answer)
    }

    /// How many of its asks were granted.
    pub fn grants(&self) -> usize {
        let told = self.read().unwrap_or_default();
        told.iter().flatten().filter(|told| told.granted).count()
    }
}
