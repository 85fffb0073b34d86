//! What can be asked of the command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// The exit status where what was asked could not be told, of clap too.
pub const CANNOT_TELL: u8 = 2;

/// Weir, a rate limiter that runs inside the proxy: what can be told of its configuration without one.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Check(Check),
    Schema(Schema),
    /// Write the completions of a shell
    Completions {
        shell: Shell,
    },
    /// Write the manual page of the command, or of one of its own
    Man {
        command: Option<Page>,
    },
}

/// A command that has a manual page of its own.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Page {
    Check,
    Schema,
    Completions,
    Man,
}

/// Judge configurations as the module would, every error at once.
///
/// A file is JSON or YAML: a configuration alone, or an Envoy bootstrap, an Istio WasmPlugin, an Envoy Gateway
/// EnvoyExtensionPolicy or a Kong declarative file with one in it.
///
/// Exit status: 0 when there is no error, 1 when there is one, or with --deny-warnings a warning, 2 when a file could
/// not be read.
#[derive(Args, Debug)]
pub struct Check {
    /// Files to judge; `-` is the standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// How errors and warnings are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// Let a warning count as an error
    #[arg(long)]
    pub deny_warnings: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line each: file, line, column, what it is
    Text,
    /// One JSON array
    Json,
}

/// Write the JSON Schema of a configuration, draft 2020-12.
///
/// What the module accepts it accepts. It does not see what fields mean together: for that there is `weir check`.
#[derive(Args, Debug)]
pub struct Schema {
    /// Write Kong's metadata of the filter instead, with the schema in draft 4
    #[arg(long)]
    pub kong: bool,
}
