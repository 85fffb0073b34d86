//! The edge to the proxy: the only place with hostcalls, clocks and randomness.

mod abi;
mod call;
mod clock;
mod exports;
mod meter;
mod request;
mod root;
mod service;
mod shared;
