//! Weir, a rate limiter that runs inside the proxy: the core.
//!
//! What this crate does *not* do outside `host`: call the proxy, read a clock, draw randomness, read the
//! environment. Time, seed and bytes go in; values come out. The modules in the order in which data flows
//! through them; each uses only those above it, and `tests/layering.rs` holds them to it:
//!
//! [`units`] time and amounts · [`local`] limits and the table that keeps their state · [`path`] paths and queries ·
//! [`address`] where a client is · [`config::json`] what was written · [`global::wire`] what a rate limit service is
//! told · [`global::lease`] what is taken of its quotas ahead of need · [`global::breaker`] when it is left alone ·
//! [`reply::template`] texts with placeholders · [`plan`] what is run · [`config`] how a plan is made · [`facts`] what
//! is known of a request · [`select`] which rules it meets · [`key`] what it is counted by · [`decision`] what was
//! decided · [`engine`] how · [`global`] who waits for the service, and what it is asked · [`pairs`] fields as the host
//! takes them · [`reply`] what the client sees · [`refusals`] what need not be decided again · [`limiter`] all of it ·
//! [`metrics`] what is counted · [`log`] what the operator reads · [`numbers`] how the proxy writes what it is asked ·
//! `host` the proxy.

#![cfg_attr(not(test), deny(clippy::too_many_lines))]

pub mod address;
pub mod config;
pub mod decision;
pub mod engine;
pub mod facts;
pub mod global;
pub mod key;
pub mod limiter;
pub mod local;
pub mod log;
pub mod metrics;
pub mod numbers;
pub mod pairs;
pub mod path;
pub mod plan;
pub mod refusals;
pub mod reply;
pub mod select;
pub mod units;

#[cfg(target_os = "wasi")]
mod host;
