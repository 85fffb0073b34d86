//! Proofs of the limits, the store and the transaction, over a simulated world: exact models, every
//! interleaving of a few workers, and floods in virtual time.

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test stops where it is surprised"
)]

mod arithmetic;
mod contention;
mod eviction;
mod interleavings;
mod jitter;
mod simulation;
mod sliding;
mod world;
