//! `weir schema`.

use std::io::{self, Write};
use std::process::ExitCode;

use weir::config::schema::{Dialect, schema};

use crate::arguments::Schema;

/// Writes the schema.
///
/// # Errors
/// What could not be written.
pub fn run(arguments: &Schema) -> io::Result<ExitCode> {
    let written = if arguments.kong {
        serde_json::json!({
            "config_schema": schema(Dialect::Draft4),
            "metrics": { "label_patterns": [{ "label": "rule", "pattern": RULE }] },
        })
    } else {
        schema(Dialect::Draft2020)
    };
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &written)?;
    writeln!(out)?;
    Ok(ExitCode::SUCCESS)
}

/// Finds the rule in the name of a metric ([`weir::metrics::on_kong`]). Kong takes the second group for the label's
/// value, and cuts the name where the first begins.
const RULE: &str = r"(\.rule\.(.+))$";
