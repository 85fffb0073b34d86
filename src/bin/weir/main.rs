//! `weir`: what an operator does with a configuration before a proxy gets it.

mod arguments;
mod check;
mod manual;
mod schema;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};

/// Exit status: 0 where all is well, 1 where something is wrong with what was asked about, 2 where that could not be
/// told.
fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let done = match command {
        Command::Check(check) => check::run(&check),
        Command::Schema(schema) => schema::run(&schema),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { command } => manual::page(command.as_deref()),
    };
    match done {
        Ok(status) => status,
        // Whoever reads has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("weir: {error}");
            ExitCode::from(2)
        }
    }
}
