//! The module as it ships, driven by scripted hostcalls.
//!
//! `dist/weir.wasm` (or the file that `WEIR_WASM` names) runs in an interpreter against a model of the
//! proxy that knows both hosts' dialects, writes down every call, and fails on a call that no correct
//! module makes. `WEIR_BLESS=1` rewrites the lists in `golden/`; read the diff before you commit it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test stops where it is surprised"
)]

mod boundary;
mod calls;
mod cost;
mod crowd;
mod faults;
mod fuzz;
mod garbage;
mod globs;
mod golden;
mod header_map;
mod host;
mod hostcalls;
mod http_calls;
mod kong;
mod left_alone;
mod lifecycle;
mod module;
mod parked;
mod process;
mod queues;
mod request;
mod scene;
mod service;
mod service_faults;
mod service_garbage;
mod shared_data;
mod status;
mod stranded;
mod stream_calls;
mod surface;
mod waiting;
mod wasi;
mod worker;
mod workers;
