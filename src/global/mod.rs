//! Quotas that several proxies share, kept by a limiter that they all ask.
//!
//! Every admitted request was debited at the limiter first. What the proxy does so far: a request that meets a global
//! rule is [parked](parking) until the debit that is asked for it is answered; [`wire`] says how it is asked for and what the
//! answer means.
//!
//! So that hardly one will have to wait, a proxy can debit ahead of need: [`lease`] says how much and [`span`] until
//! when it may be spent, a [`debit`] is one such question and its outcome, the [`pot`] keeps what was granted for all
//! workers of the proxy, and the [`breaker`] says when the limiter is left alone. These five are held to in virtual
//! time by `tests/leases`, and no host asks them yet.

pub mod breaker;
pub mod debit;
pub mod lease;
pub mod parking;
pub mod pot;
pub mod span;
pub mod wire;
