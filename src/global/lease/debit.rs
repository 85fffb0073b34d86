//! One debit at the limiter: what is asked, and what became of it.

use super::span::Ends;
use crate::units::{Instant, Numbers};

/// A debit under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debit {
    /// To be leased.
    pub tokens: u32,
    /// To be told: what was admitted without the limiter.
    pub owed: u32,
    /// What waited for it, beyond what was in hand.
    pub waiting: u32,
    /// Whether more was wanted than waited.
    pub ahead: bool,
    /// The window in which it was asked.
    pub window: u32,
    /// When it was sent.
    pub sent: Instant,
}

impl Debit {
    /// The hits to send.
    #[must_use]
    pub const fn hits(&self) -> u32 {
        self.tokens.saturating_add(self.owed)
    }
}

/// What the limiter said to a debit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it was granted.
    pub granted: bool,
    /// What is left; `None` when that was not told.
    pub remaining: Option<u32>,
    /// The end of the window that it was counted in.
    pub ends: Ends,
    /// Whether the engine counts what it refuses.
    pub burns: bool,
    /// Whether the engine may grant more than its limit: that nothing is left is then no refusal.
    pub shadows: bool,
    /// What the engine counts by.
    pub counted: Numbers,
}

/// What an answer gave that the pot does not keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Filled {
    /// To be spent at once by those who waited for this debit, as each would have asked for itself. Its window
    /// is about to end, or nobody knows when it does.
    pub direct: u32,
    /// Granted, and of no use any more.
    pub lapsed: u32,
}

/// How a debit failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It never reached the limiter, or was turned away uncounted.
    Uncounted,
    /// Nobody knows: a time-out, a reset. It counts as done where that is the safe side.
    Unknown,
}
