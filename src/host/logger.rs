//! The proxy's log behind the `log` facade.

use std::fmt::Write;

use ::log::{LevelFilter, Log, Metadata, Record};

use super::call::{self, Level};

struct ProxyLog;

/// Has the facade write to the proxy's log: once in a VM, before the first line.
pub fn install() {
    // It fails only where a logger is installed already.
    if ::log::set_logger(&ProxyLog).is_ok() {
        ::log::set_max_level(LevelFilter::Info);
    }
}

impl Log for ProxyLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        // The facade has compared the level with the finest one by then.
        true
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            ::log::Level::Error => Level::Error,
            ::log::Level::Warn => Level::Warn,
            // Finer ones are not compiled.
            ::log::Level::Info | ::log::Level::Debug | ::log::Level::Trace => Level::Info,
        };
        // With room for a refusal's.
        let mut line = String::with_capacity(256);
        if line.write_fmt(*record.args()).is_ok() {
            call::log(level, &line);
        }
    }

    fn flush(&self) {}
}
