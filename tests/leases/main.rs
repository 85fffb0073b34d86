//! Pots in virtual time: workers of several proxies, one limiter of each kind, and a network that loses,
//! delays and breaks. A seed decides everything, so one that fails can be run again.

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a test stops where it is surprised"
)]

#[path = "../proof/world/chance.rs"]
mod chance;
mod costs;
mod course;
mod extremes;
#[path = "../global/limiter.rs"]
mod limiter;
#[path = "../proof/world/memory.rs"]
mod memory;
mod record;
mod worker;
mod world;
