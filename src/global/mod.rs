//! Quotas that several proxies share, kept by a limiter that they all ask.

pub mod parking;
pub mod wire;
