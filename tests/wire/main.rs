//! What limiters are asked and what they answer, held against conversations recorded with real servers.

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a test stops where it is surprised"
)]

mod answers;
mod calls;
mod mutations;
mod recorded;
