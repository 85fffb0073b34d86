//! Global quotas in virtual time: the core as the edge drives it, in workers of several proxies, against a model of each
//! limiter and a network that loses, delays and breaks. A seed decides everything: one that fails is told, and
//! `WEIR_SEED` runs that one alone.

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

mod any;
mod calm;
#[path = "../proof/world/chance.rs"]
mod chance;
mod course;
mod faults;
mod limiter;
#[path = "../proof/world/memory.rs"]
mod memory;
mod mixed;
mod record;
mod root;
mod serving;
mod world;
