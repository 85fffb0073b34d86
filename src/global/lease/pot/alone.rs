//! What a proxy admits without its limiter.

use super::Pot;
use crate::global::lease::Share;
use crate::global::lease::span::Ends;
use crate::units::{Instant, Now};

/// What a request finds that must do without the limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Alone {
    /// It is within the proxy's own share.
    Admitted {
        /// What to give it back to.
        window: u32,
    },
    /// The proxy's own share is spent.
    Refused {
        /// When a new window begins.
        until: Instant,
    },
}

impl Pot {
    /// A request spends of the proxy's own share, since the limiter cannot be asked.
    pub fn spend_alone(&mut self, share: &Share, now: Now, cost: u32) -> Alone {
        let share = self.share(share);
        let window = match self.window {
            Some(window) => window,
            None => {
                let window = Ends::own(now, share.windows, share.period);
                self.open(window);
                window
            }
        };
        let spent = self.alone.saturating_add(cost);
        if spent > share.alone(self.left_for_sure()) {
            return Alone::Refused {
                until: window.latest,
            };
        }
        self.alone = spent;
        self.owed = self.owed.saturating_add(cost);
        self.rate.count(now.monotonic, cost);
        Alone::Admitted {
            window: self.number,
        }
    }

    /// A request that had spent of the proxy's own share did not go on: the next one may.
    pub fn give_back_alone(&mut self, window: u32, cost: u32) {
        if !self.is_of(window) {
            return;
        }
        self.alone = self.alone.saturating_sub(cost);
        self.owed = self.owed.saturating_sub(cost);
    }

    /// Left of the proxy's own share, as it would be without the limiter.
    #[must_use]
    pub fn remaining_alone(&self, share: &Share) -> u32 {
        let share = self.share(share);
        share.alone(self.left_for_sure()).saturating_sub(self.alone)
    }

    /// What is left at the limiter, if all that is in doubt was debited; `None` when nothing was told, or the limiter only
    /// watches and grants whatever is left.
    fn left_for_sure(&self) -> Option<u32> {
        let left = self.remaining.filter(|_| !self.told.is_shadowed())?;
        let taken = self.doubtful.saturating_add(self.in_flight);
        Some(left.saturating_sub(taken))
    }
}
