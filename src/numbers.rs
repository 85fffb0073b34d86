//! The numbers of the proxy-wasm ABI, each in one place; `tests/sdk.rs` compares them with those of the Rust SDK.
//!
//! They stand outside `host`, which only the module has: native tests do not see into it.

/// Status of a hostcall that did as asked.
pub const OK: i32 = 0;
/// Status: there is no such header, property or key.
pub const NOT_FOUND: i32 = 1;
/// Status: the host does not know what the call names.
pub const BAD_ARGUMENT: i32 = 2;
/// Status: the value has changed since it was read.
pub const CAS_MISMATCH: i32 = 8;

/// Action: the request goes on.
pub const CONTINUE: u32 = 0;
/// Action: the request waits, or was answered from here.
pub const PAUSE: u32 = 1;

/// The stream of a request, of the two of an exchange.
pub const REQUEST_STREAM: u32 = 0;

/// Level of a line in the proxy's log.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum Level {
    /// What an operator may want to see: refusals.
    Info = 2,
    /// What needs no action at once: faults that were survived.
    Warn = 3,
    /// What was refused for good: a bad configuration.
    Error = 4,
}

/// Which header map.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum Map {
    /// Headers of the request; gone once the request phase has ended.
    Request = 0,
    /// Headers of the response, also of our own replies.
    Response = 2,
    /// Headers of the answer to a call of ours; empty once its callback has returned.
    Answer = 6,
}

/// Which buffer.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum Buffer {
    /// Body of the answer to a call of ours; only while its callback runs.
    Answer = 4,
    /// The configuration of the plugin whose `on_configure` is running.
    PluginConfiguration = 7,
}

/// Kind of a metric.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum Kind {
    /// Only grows.
    Counter = 0,
    /// May be set to any value.
    Gauge = 1,
    /// Of recorded values.
    Histogram = 2,
}
