//! Proofs of the limits, the store and the transaction, over a simulated world: exact models, every
//! interleaving of a few workers, and floods in virtual time.

#![cfg(not(target_arch = "wasm32"))]

mod arithmetic;
mod eviction;
mod interleavings;
mod world;
