//! `weir completions` and `weir man`, which write what clap knows of the arguments.

use std::io;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::{Generator, Shell};
use clap_mangen::Man;

use crate::arguments::Arguments;

/// Writes the completions of a shell.
///
/// # Errors
/// What could not be written.
pub fn completions(shell: Shell) -> io::Result<ExitCode> {
    let mut command = Arguments::command();
    command.set_bin_name("weir");
    command.build();
    shell.try_generate(&command, &mut io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a manual page, `weir(1)` or that of one of its commands.
///
/// # Errors
/// That there is no such command, or what could not be written.
pub fn page(name: Option<&str>) -> io::Result<ExitCode> {
    let mut command = Arguments::command();
    command.build();
    let page = match name {
        None => Some(command),
        Some(name) => command.find_subcommand(name).cloned(),
    };
    let Some(page) = page else {
        let message = format!("{}: no such command", name.unwrap_or_default());
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    };
    Man::new(page).render(&mut io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}
