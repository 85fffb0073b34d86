//! Quotas that several proxies share, kept by a limiter that they all ask.
//!
//! Every admitted request was debited at the limiter first, but under `on_error`: one by one, or, so that hardly one has to wait, by
//! [leases](lease) that are taken ahead of need and spent by all workers of a proxy. A request for which there is
//! nothing in hand is [parked](parking); an [`exchange`] is what one worker asks for, [`wire`] how that is said and what
//! the answer means; the [`breaker`] says when the limiter is left alone.

pub mod breaker;
pub mod caller;
pub mod client;
pub mod exchange;
pub mod lease;
pub mod parking;
pub mod wire;
