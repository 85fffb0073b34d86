//! `weir`: what an operator does with a configuration before a proxy gets it.

#![deny(clippy::too_many_lines)]

mod arguments;
mod check;
mod manual;
mod schema;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, CANNOT_TELL, Command};

/// Exit status: 0 where all is well, 1 where something is wrong with what was asked about, [`CANNOT_TELL`] where that
/// could not be told.
fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let done = match command {
        Command::Check(check) => check::run(&check),
        Command::Schema(schema) => schema::run(&schema),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { command } => manual::page(command),
    };
    done.unwrap_or_else(|error| {
        // Whoever reads may have read enough.
        if error.kind() != ErrorKind::BrokenPipe {
            complain(&error);
        }
        ExitCode::from(CANNOT_TELL)
    })
}

/// Tells of an error, to whom it can be told.
fn complain(error: &io::Error) {
    let _nobody_reads = writeln!(anstream::stderr(), "weir: {error}");
}
