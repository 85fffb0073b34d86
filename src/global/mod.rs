//! Quotas that several proxies share, kept by a limiter that they all ask.
//!
//! Every admitted request was debited at the limiter first. So that hardly one waits for that, a proxy debits
//! ahead of need: [`lease`] says how much, [`span`] until when it may be spent.

pub mod lease;
pub mod parking;
pub mod span;
pub mod wire;
