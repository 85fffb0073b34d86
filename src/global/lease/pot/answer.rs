//! What an answer does to a pot.

use super::{Pot, Told};
use crate::global::lease::Share;
use crate::global::lease::debit::{Answer, Debit, Filled};
use crate::global::lease::span::{Ends, GUARD};
use crate::units::{Instant, Nanos};

impl Pot {
    /// The limiter answered, however late.
    pub fn fill(&mut self, share: &Share, debit: &Debit, answer: &Answer, now: Instant) -> Filled {
        self.take_in(share, debit, debit.hits(), answer, now)
    }

    /// Takes in the answer to so many `hits`, of which `debit` is the pot's.
    fn take_in(
        &mut self,
        share: &Share,
        debit: &Debit,
        hits: u32,
        answer: &Answer,
        now: Instant,
    ) -> Filled {
        let share = &share.counted_by(answer.counted);
        self.land(debit);
        // What took that long may be of any window.
        let ended = answer.ends.latest <= now || now.since(debit.sent).0 > share.period.0 / 2;
        let granted = if answer.granted { debit.tokens } else { 0 };
        let nothing = Filled {
            direct: 0,
            lapsed: granted,
        };
        if ended {
            return nothing;
        }
        let (kept, lapsed) = match self.place(share, debit, answer) {
            Placed::Ended => return nothing,
            Placed::Unknown => (false, 0),
            Placed::Here(lapsed) => {
                self.hear(share, debit, hits, answer, now);
                (self.is_open(now), lapsed)
            }
        };
        if kept {
            self.tokens = self.tokens.saturating_add(granted);
            if answer.granted {
                self.leased = self.tokens;
            }
            return Filled { direct: 0, lapsed };
        }
        let direct = granted.min(debit.waiting);
        if !answer.granted && self.window.is_none() {
            self.pause(share, answer.ends, now);
        }
        Filled {
            direct,
            lapsed: lapsed.saturating_add(granted - direct),
        }
    }
}

impl Pot {
    /// A request was answered, at `now`, that asked at `sent` for itself alone.
    pub fn learn(&mut self, share: &Share, answer: &Answer, sent: Instant, now: Instant) {
        let nothing = Debit {
            tokens: 0,
            owed: 0,
            waiting: 0,
            ahead: false,
            window: self.number,
            sent,
        };
        let _ = self.take_in(share, &nothing, 1, answer, now);
    }
}

/// Which window an answer speaks of.
enum Placed {
    /// The pot's; of an earlier one so much lapsed.
    Here(u32),
    /// One that has ended.
    Ended,
    /// Nobody can tell.
    Unknown,
}

impl Pot {
    fn place(&mut self, share: &Share, debit: &Debit, answer: &Answer) -> Placed {
        let told = answer.ends;
        let Some(window) = self.window else {
            return self.turn_to(told, debit);
        };
        // Another window ends about a period earlier or later. What is nearer is this one, by a clock that has been
        // set or was read late: the earlier end holds.
        let near = Nanos(share.period.0 / 2);
        if told.is_before(&window, near) && self.remaining.is_some() {
            return Placed::Ended;
        }
        if window.is_before(&told, near) || self.remaining.is_none() {
            // What the proxy called a window while it was alone ends with the first answer.
            return self.turn_to(told, debit);
        }
        let is_later = told.earliest.plus(GUARD) >= window.earliest;
        if !self.is_of(debit.window) && !is_later {
            return Placed::Unknown;
        }
        self.window = Some(window.and(told));
        Placed::Here(0)
    }

    /// Begins the window of an answer, if it is known to last.
    fn turn_to(&mut self, told: Ends, debit: &Debit) -> Placed {
        if told.earliest <= debit.sent {
            return Placed::Unknown;
        }
        let owed = if self.remaining.is_none() {
            self.owed
        } else {
            0
        };
        let lapsed = self.close();
        self.open(told);
        self.owed = owed;
        Placed::Here(lapsed)
    }

    /// Takes in what an answer tells of its window.
    fn hear(&mut self, share: &Share, debit: &Debit, hits: u32, answer: &Answer, now: Instant) {
        if !answer.granted && !answer.burns {
            self.owed = self.owed.saturating_add(debit.owed);
        }
        let left = match answer.remaining {
            // Refused although it would fit: the limiter does not mean what it says.
            Some(left) if !answer.granted && left >= hits => 0,
            Some(left) => left.min(MOST),
            None if answer.granted => {
                let before = self.remaining.unwrap_or(share.limit);
                before.saturating_sub(hits)
            }
            // All that is known: there was less. Nobody waits for a debt by itself, so it is told in halves.
            None if debit.tokens == 0 => hits / 2,
            None => hits.saturating_sub(1),
        };
        let was_used_up = self.remaining == Some(0) && self.refused_until <= now;
        let is_newest = debit.sent >= self.told_at || self.remaining.is_none();
        self.remaining = match self.remaining {
            Some(known) if !is_newest || answer.remaining.is_none() => Some(known.min(left)),
            _ => Some(left),
        };
        if is_newest {
            self.told_at = debit.sent;
            self.told = Told::new(answer.counted).shadowed(self.told.is_shadowed());
            self.doubtful = 0;
            self.alone = self.owed;
        }
        let may_be_more = answer.granted && answer.shadows;
        if self.remaining != Some(0) || !may_be_more {
            self.told = self.told.shadowed(false);
        } else if was_used_up && hits > 0 {
            self.told = self.told.shadowed(true);
        }
        if self.remaining == Some(0) && !may_be_more {
            self.pause(share, self.window.unwrap_or(answer.ends), now);
        }
    }

    /// Leaves the limiter alone until the window's end; while that may have passed already, for a moment.
    fn pause(&mut self, share: &Share, ends: Ends, now: Instant) {
        let moment = now.plus(share.horizon(Nanos(0)));
        let surely = ends.latest.max(now.plus(GUARD));
        self.refused_until = ends.earliest.max(moment.min(surely));
    }
}

/// The most that can be left: an engine's *unlimited* is one more.
const MOST: u32 = u32::MAX - 1;
