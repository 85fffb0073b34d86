//! Weir in a real Envoy: the module that ships, the oldest and the newest supported proxy, one worker and four.
//!
//! Every test starts its own proxies (`proxy::everywhere`), talks to them over real sockets (`client`) and
//! reads what operators read: answers, the access log, statistics, the proxy's log. Where time matters it is
//! measured, never assumed: a slow machine makes an assertion weaker, not wrong.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, measures real time and is told its proxies by the environment"
)]

mod bucket;
mod chain;
mod client;
mod document;
mod impostor;
mod process;
#[allow(dead_code, reason = "shared with the benches")]
mod proxy;
mod readme;
mod registry;
mod service;
mod trap;

mod address;
mod around;
mod cluster;
mod counters;
mod crash;
mod crowd;
mod entries;
mod examples;
mod faults;
mod global;
mod handover;
mod harness;
mod install;
mod keys;
mod leases;
mod limits;
mod modes;
mod protocols;
mod pulled;
mod records;
mod reload;
mod reply;
mod retries;
mod rollover;
