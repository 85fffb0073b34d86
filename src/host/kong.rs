//! Callbacks that Kong's host calls in whatever module it loads: it refuses one without `proxy_on_vm_start`, and a worker
//! dies at the others where they are missing.
//!
//! Envoy calls what a module has, and each costs it thousands of instructions a request: its module has none of them.

use crate::numbers::CONTINUE;

const DONE: u32 = 1;

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root: u32, _len: usize) -> u32 {
    DONE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(_context: u32, _len: usize, _end: u32) -> u32 {
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(_context: u32, _len: usize, _end: u32) -> u32 {
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(_context: u32, _trailers: usize) -> u32 {
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_done(_context: u32) -> u32 {
    DONE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(_context: u32) {}
