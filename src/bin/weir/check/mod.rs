//! `weir check`.

mod diagnostic;
mod json;
mod source;
mod tree;
mod yaml;

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use weir::config::check::{Variable, check};

use self::diagnostic::{Diagnostic, Judged, Severity};
use self::json::Unreadable;
use self::source::Source;
use self::tree::Tree;
use crate::arguments::{Check, Format};

/// Judges files and writes down what there is to say of them.
///
/// # Errors
/// What could not be read or written.
pub fn run(arguments: &Check) -> io::Result<ExitCode> {
    let mut files = Vec::new();
    for path in &arguments.files {
        files.push(judged(path)?);
    }
    let out = &mut anstream::stdout().lock();
    match arguments.format {
        Format::Text => diagnostic::text(&files, out)?,
        Format::Json => diagnostic::json(&files, out)?,
    }
    let mut all = files.iter().flat_map(|file| &file.diagnostics);
    let counts =
        |diagnostic: &Diagnostic| arguments.deny_warnings || diagnostic.severity == Severity::Error;
    Ok(ExitCode::from(u8::from(all.any(counts))))
}

fn judged(path: &Path) -> io::Result<Judged> {
    let name = path.display().to_string();
    let read = match name.as_str() {
        "-" => {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes).map(|_| bytes)
        }
        _ => fs::read(path),
    };
    let bytes = read.map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
    let (source, diagnostics) = match String::from_utf8(bytes) {
        Ok(text) => {
            let source = Source::new(text);
            let diagnostics = diagnostics(&name, &source.text);
            (source, diagnostics)
        }
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let wrong = Diagnostic::error(at, "", "not UTF-8");
            (Source::new(text), vec![wrong])
        }
    };
    Ok(Judged {
        name,
        source,
        diagnostics,
    })
}

/// Everything that there is to say of a file's text, in its order.
fn diagnostics(name: &str, text: &str) -> Vec<Diagnostic> {
    let documents = match documents(name, text) {
        Ok(documents) => documents,
        Err(Unreadable { at, reason }) => {
            return vec![Diagnostic::error(at.unwrap_or(0), "", &reason)];
        }
    };
    documents.iter().flat_map(judgements).collect()
}

/// Everything that there is to say of a configuration, in its order.
fn judgements(document: &Tree) -> Vec<Diagnostic> {
    let judgement = check(&document.node, &|_| Variable::Unknown);
    let mut found = Vec::new();
    let mut earlier = (None, 0);
    for finding in &judgement.errors {
        earlier = match earlier {
            (Some(place), count) if place == &finding.place => (Some(place), count + 1),
            _ => (Some(&finding.place), 0),
        };
        let at = document.offset(&finding.place, earlier.1);
        found.push(Diagnostic::error(at, finding.path(), finding.message()));
    }
    if judgement.untold > 0 {
        let at = document.spot.value.end;
        let message = format!("… and {} more", judgement.untold);
        found.push(Diagnostic::error(at, "", &message));
    }
    for finding in &judgement.assumed {
        let at = document.offset(&finding.place, 0);
        found.push(Diagnostic::warning(at, finding.path(), finding.message()));
    }
    found.sort_by_key(|diagnostic| diagnostic.at);
    found
}

/// Reads a file: as JSON what says that it is, or looks so; else as YAML, which may hold several documents.
fn documents(name: &str, text: &str) -> Result<Vec<Tree>, Unreadable> {
    let ends_in = |end: &str| name.to_ascii_lowercase().ends_with(end);
    let is_yaml = ends_in(".yaml") || ends_in(".yml");
    let is_json = ends_in(".json") || (!is_yaml && text.trim_ascii_start().starts_with(['{', '[']));
    if is_json || text.trim_ascii().is_empty() {
        return json::read(text).map(|document| vec![document]);
    }
    yaml::read(text)
}
