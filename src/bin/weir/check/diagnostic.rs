//! What there is to say of a file, and how it is written.

use std::io::{self, Write};

use clap::builder::styling::{AnsiColor, Style};
use weir::config::json::is_hidden;

use super::source::{Position, Source};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The module refuses it, or the host.
    Error,
    /// It is allowed, and seldom what was meant.
    Warning,
}

/// One thing to say of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// An offset into the file's text.
    pub at: usize,
    pub severity: Severity,
    /// Where in the configuration, as in `rules[0].limits`; empty where it is not of the configuration.
    pub path: String,
    pub message: String,
}

impl Diagnostic {
    pub fn error(at: usize, path: &str, message: &str) -> Self {
        Self::new(at, Severity::Error, path, message)
    }

    pub fn warning(at: usize, path: &str, message: &str) -> Self {
        Self::new(at, Severity::Warning, path, message)
    }

    fn new(at: usize, severity: Severity, path: &str, message: &str) -> Self {
        Self {
            at,
            severity,
            path: path.to_owned(),
            message: message.to_owned(),
        }
    }
}

impl Severity {
    const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }

    const fn style(self) -> Style {
        match self {
            Self::Error => AnsiColor::Red.on_default().bold(),
            Self::Warning => AnsiColor::Yellow.on_default().bold(),
        }
    }
}

/// A file and what there is to say of it.
pub struct Judged {
    pub name: String,
    pub source: Source,
    pub diagnostics: Vec<Diagnostic>,
}

impl Judged {
    fn positions(&self) -> impl Iterator<Item = (Position, &Diagnostic)> {
        let diagnostics = self.diagnostics.iter();
        diagnostics.map(|diagnostic| (self.source.position(diagnostic.at), diagnostic))
    }
}

/// Writes a line for each, as compilers do: `file:line:column: error: path: message`.
pub fn text(files: &[Judged], out: &mut dyn Write) -> io::Result<()> {
    for file in files {
        for (Position { line, column }, diagnostic) in file.positions() {
            let style = diagnostic.severity.style();
            let word = diagnostic.severity.word();
            let path = match diagnostic.path.as_str() {
                "" => String::new(),
                path => format!("{path}: "),
            };
            let (name, message) = (on_one_line(&file.name), &diagnostic.message);
            writeln!(
                out,
                "{name}:{line}:{column}: {style}{word}:{style:#} {path}{message}"
            )?;
        }
    }
    Ok(())
}

/// A name of a file, which may hold whatever begins a line or means something to a terminal.
pub fn on_one_line(name: &str) -> String {
    let mut out = String::new();
    for char in name.chars() {
        if is_hidden(char) {
            out.extend(char.escape_default());
        } else {
            out.push(char);
        }
    }
    out
}

/// Writes one JSON array.
pub fn json(files: &[Judged], out: &mut dyn Write) -> io::Result<()> {
    let mut list = Vec::new();
    for file in files {
        for (Position { line, column }, diagnostic) in file.positions() {
            list.push(serde_json::json!({
                "file": file.name,
                "line": line,
                "column": column,
                "path": diagnostic.path,
                "severity": diagnostic.severity.word(),
                "message": diagnostic.message,
            }));
        }
    }
    serde_json::to_writer_pretty(&mut *out, &list)?;
    writeln!(out)
}
