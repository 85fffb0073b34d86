//! The edge to the proxy: the only place with hostcalls, clocks and randomness.

mod abi;
mod call;
mod clock;
mod exports;
#[cfg(feature = "kong")]
mod kong;
mod logger;
mod meter;
mod notes;
mod plugin;
mod queues;
mod request;
mod root;
mod service;
mod shared;
