//! The edge to the proxy: the only place with hostcalls, clocks and randomness.

mod abi;
mod call;
mod exports;
