//! Weir, a rate limiter that runs inside the proxy.

#[cfg(target_os = "wasi")]
mod host;
