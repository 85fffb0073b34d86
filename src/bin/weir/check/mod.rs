//! `weir check`.

mod carrier;
mod diagnostic;
mod dialect;
mod embedded;
mod json;
mod judge;
mod lint;
mod repeated;
mod slip;
mod source;
mod tree;
mod twice;
mod yaml;

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use self::diagnostic::{Diagnostic, Judged, Severity};
use self::source::Source;
use crate::arguments::{CANNOT_TELL, Check, Format};
use crate::complain;

/// Judges files and writes down what there is to say of them.
///
/// # Errors
/// What could not be written. What cannot be read is told apart, and keeps no other file from being judged.
pub fn run(arguments: &Check) -> io::Result<ExitCode> {
    let mut files = Vec::new();
    for path in &arguments.files {
        match judged(path) {
            Ok(file) => files.push(file),
            Err(error) => complain(&error),
        }
    }
    let out = &mut io::BufWriter::new(anstream::stdout().lock());
    match arguments.format {
        Format::Text => diagnostic::text(&files, out)?,
        Format::Json => diagnostic::json(&files, out)?,
    }
    out.flush()?;
    if files.len() < arguments.files.len() {
        return Ok(ExitCode::from(CANNOT_TELL));
    }
    let mut all = files.iter().flat_map(|file| &file.diagnostics);
    let counts =
        |diagnostic: &Diagnostic| arguments.deny_warnings || diagnostic.severity == Severity::Error;
    Ok(ExitCode::from(u8::from(all.any(counts))))
}

/// The most bytes of a file: an endless one is to end.
const MAX_BYTES: u64 = 256 << 20;

fn read(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if read as u64 > MAX_BYTES {
        return Err(io::Error::other("more than 256 MiB"));
    }
    Ok(bytes)
}

fn judged(path: &Path) -> io::Result<Judged> {
    let name = path.display().to_string();
    let read = match name.as_str() {
        "-" => read(io::stdin().lock()),
        _ => fs::File::open(path).and_then(read),
    };
    let bytes = read.map_err(|error| {
        let name = diagnostic::on_one_line(&name);
        io::Error::new(error.kind(), format!("{name}: {error}"))
    })?;
    let (source, diagnostics) = match String::from_utf8(bytes) {
        Ok(text) => {
            let source = Source::new(text);
            let diagnostics = judge::file(&name, &source.text);
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
