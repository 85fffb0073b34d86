//! What clients see, read back by parsers that others wrote, for any plan and any decision.

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test stops where it is surprised"
)]

mod draft_11;
mod refusals;
mod templates;
mod world;
