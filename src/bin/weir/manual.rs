//! `weir completions` and `weir man`, which write what clap knows of the arguments.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, ValueEnum};
use clap_complete::{Generator, Shell};
use clap_mangen::Man;

use crate::arguments::{Arguments, Page};

/// Writes the completions of a shell.
///
/// # Errors
/// What could not be written.
pub fn completions(shell: Shell) -> io::Result<ExitCode> {
    let mut command = Arguments::command();
    command.set_bin_name("weir");
    command.build();
    // Some of the generators panic where they cannot write.
    let mut script = Vec::new();
    shell.try_generate(&command, &mut script)?;
    io::stdout().lock().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a manual page, `weir(1)` or that of one of its commands.
///
/// # Errors
/// What could not be written.
pub fn page(of: Option<Page>) -> io::Result<ExitCode> {
    // What `weir help` writes has no page.
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let version = command.get_version().unwrap_or_default();
    let source = format!("weir {version}");
    let of = of.and_then(|page| page.to_possible_value());
    let page = of.and_then(|page| command.find_subcommand(page.get_name()).cloned());
    let mut page = page.unwrap_or(command);
    // Of what may be repeated clap_mangen's own line does not say so.
    let usage = page.render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned();
    let page = Man::new(page.override_usage(usage)).source(source);
    page.render(&mut io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}
