//! Quotas that several proxies share, kept by a limiter that they all ask.
//!
//! Every admitted request was debited at the limiter first. So that hardly one waits for that, a proxy debits
//! ahead of need: [`lease`] says how much, [`wire`] how it is asked for and what the answer means, [`span`] until
//! when it may be spent. A [`debit`] is one such question and its outcome; the [`pot`] keeps what was granted for
//! all workers of the proxy. The [`breaker`] says when the limiter is left alone.

pub mod breaker;
pub mod debit;
pub mod lease;
pub mod parking;
pub mod pot;
pub mod span;
pub mod wire;
