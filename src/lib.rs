//! Weir, a rate limiter that runs inside the proxy: the core.
//!
//! What this crate does *not* do outside `host`: call the proxy, read a clock, draw randomness, read the
//! environment. Time, seed and bytes go in; values come out. The modules in the order in which data flows
//! through them; each uses only those above it:
//!
//! [`units`] time and amounts · [`local`] limits and the table that keeps their state · [`path`] ·
//! [`plan`] what is run · [`config`] how a plan is made · [`decision`] what was decided · [`reply`] what the
//! client sees.

pub mod address;
pub mod config;
pub mod decision;
pub mod engine;
pub mod facts;
pub mod key;
pub mod local;
pub mod log;
pub mod metrics;
pub mod path;
pub mod plan;
pub mod reply;
pub mod select;
pub mod units;

#[cfg(target_os = "wasi")]
mod host;
