//! Windows on the wall clock: a fixed one, and a sliding one made of two counters.
//!
//! The wall clock may step. A stored window one ahead of now is kept, so that a small step back refunds
//! nothing; one further ahead is begun anew, so that a clock that was wrong by days locks nobody out for
//! days. A step forward ends windows early, as a user who reads the clock on the wall expects.

use super::calendar::{Position, Span};
use crate::units::{Nanos, UnixTime, Wait};

/// What was charged in one window and, for a sliding one, in the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Number of the window, see [`Span`].
    pub index: u64,
    /// Charged in this window.
    pub current: u32,
    /// Charged in the one before; a fixed window keeps 0.
    pub previous: u32,
}

/// A limit per window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The most that one window admits; at least 1.
    pub limit: u32,
    /// When windows begin and end.
    pub span: Span,
    /// Whether the window before counts with the share of it that the last span still covers.
    pub sliding: bool,
}

impl Window {
    /// The state after a charge of `cost` at `now`, or how long until one would fit.
    ///
    /// # Errors
    /// [`Wait`] when it does not fit; the state is then unchanged.
    pub fn charge(&self, state: Count, now: UnixTime, cost: u32) -> Result<Count, Wait> {
        if cost > self.limit {
            return Err(Wait::Never);
        }
        let seen = self.at(state, now);
        match seen.count.current.checked_add(cost) {
            Some(current) if self.fits(current, &seen) => Ok(Count {
                current,
                ..seen.count
            }),
            _ => Err(Wait::After(self.wait(&seen, cost))),
        }
    }

    /// The state after a charge of `cost` that fell into window `charged` is taken back: only if it still
    /// is that window. What a later one counts, the charge did not take from it.
    #[must_use]
    pub fn give_back(&self, state: Count, charged: u64, cost: u32) -> Count {
        if state.index == charged {
            Count {
                current: state.current.saturating_sub(cost),
                ..state
            }
        } else {
            state
        }
    }

    /// What fits now, and the time until everything does.
    #[must_use]
    pub fn quota(&self, state: Count, now: UnixTime) -> (u32, Nanos) {
        let seen = self.at(state, now);
        let Seen {
            count,
            position,
            ahead,
        } = seen;
        let length = seen.length();
        let used = u128::from(count.current) * length
            + u128::from(count.previous) * u128::from(position.left.0);
        let whole = u128::from(self.limit) * length;
        let left = whole.saturating_sub(used).checked_div(length).unwrap_or(0);
        let reset = match count {
            Count {
                current: 0,
                previous: 0,
                ..
            } => 0,
            Count { current: 1.., .. } if self.sliding => position
                .left
                .0
                .saturating_add(self.span.length(position.index.saturating_add(1)).0),
            _ => position.left.0,
        };
        let reset = if reset == 0 {
            Nanos(0)
        } else {
            Nanos(reset.saturating_add(ahead.0))
        };
        (u32::try_from(left).unwrap_or(u32::MAX), reset)
    }

    /// The share of the limit that is used at `now`, from 0 to about 1: what forgetting would forgive.
    #[must_use]
    pub fn used(&self, state: Count, now: UnixTime) -> f64 {
        let Seen {
            count, position, ..
        } = self.at(state, now);
        let length = position.elapsed.0 as f64 + position.left.0 as f64;
        let previous = f64::from(count.previous) * position.left.0 as f64 / length;
        (f64::from(count.current) + previous) / f64::from(self.limit.max(1))
    }

    /// The state as it counts at `now`.
    fn at(&self, state: Count, now: UnixTime) -> Seen {
        let position = self.span.position(now);
        let index = position.index;
        if state.index == index {
            Seen {
                count: state,
                position,
                ahead: Nanos(0),
            }
        } else if index.checked_add(1) == Some(state.index) {
            // Set back across an edge: the stored window counts as if it had just begun.
            let left = self.span.length(state.index);
            let begun = Position {
                index: state.index,
                elapsed: Nanos(0),
                left,
            };
            Seen {
                count: state,
                position: begun,
                ahead: position.left,
            }
        } else {
            let follows = self.sliding && state.index.checked_add(1) == Some(index);
            let previous = if follows { state.current } else { 0 };
            Seen {
                count: Count {
                    index,
                    current: 0,
                    previous,
                },
                position,
                ahead: Nanos(0),
            }
        }
    }

    /// `previous·(P − e) + current·P ≤ L·P`.
    fn fits(&self, current: u32, seen: &Seen) -> bool {
        let length = seen.length();
        u128::from(seen.count.previous) * u128::from(seen.position.left.0)
            + u128::from(current) * length
            <= u128::from(self.limit) * length
    }

    /// The smallest time after which `cost` fits, for a cost that does not fit now but can.
    fn wait(&self, seen: &Seen, cost: u32) -> Nanos {
        let Seen {
            count,
            position,
            ahead,
        } = *seen;
        let until_edge = position.left.0.saturating_add(ahead.0);
        let used = u64::from(count.current) + u64::from(cost);
        if let Some(free) = u64::from(self.limit).checked_sub(used) {
            // previous·left ≤ free·P, for the largest `left`.
            let left = share(free, seen.length(), count.previous);
            return Nanos(until_edge.saturating_sub(left));
        }
        if !self.sliding {
            return Nanos(until_edge);
        }
        // In the next window `current` is the previous one: current·left ≤ (L − cost)·P.
        let length = self.span.length(position.index.saturating_add(1)).0;
        let room = u64::from(self.limit.saturating_sub(cost));
        let left = share(room, u128::from(length), count.current).min(length);
        Nanos(until_edge.saturating_add(length - left))
    }
}

/// A state, and where in its window `now` counts as being.
#[derive(Clone, Copy, Debug)]
struct Seen {
    count: Count,
    position: Position,
    /// Time until that window begins; zero unless the clock was set back.
    ahead: Nanos,
}

impl Seen {
    /// Length of the window; never zero.
    fn length(&self) -> u128 {
        u128::from(self.position.elapsed.0) + u128::from(self.position.left.0)
    }
}

/// `amount`·`length` / `counted`, rounded down.
fn share(amount: u64, length: u128, counted: u32) -> u64 {
    let left = (u128::from(amount) * length)
        .checked_div(u128::from(counted))
        .unwrap_or(0);
    u64::try_from(left).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const MINUTE: u64 = 60 * Nanos::SECOND.0;

    fn per_minute(limit: u32, sliding: bool) -> Window {
        let length = NonZeroU64::new(MINUTE).unwrap();
        Window {
            limit,
            span: Span::Every {
                length,
                offset: Nanos(0),
            },
            sliding,
        }
    }

    fn at_second(second: u64) -> UnixTime {
        UnixTime(1_000 * MINUTE + second * Nanos::SECOND.0)
    }

    fn drain(window: &Window, state: &mut Count, now: UnixTime) -> (u32, Wait) {
        let mut admitted = 0;
        loop {
            match window.charge(*state, now, 1) {
                Ok(after) => (*state, admitted) = (after, admitted + 1),
                Err(wait) => return (admitted, wait),
            }
        }
    }

    #[test]
    fn a_window_ends_on_its_edge() {
        let window = per_minute(5, false);
        let mut state = Count::default();
        let (admitted, wait) = drain(&window, &mut state, at_second(50));
        assert_eq!(
            (admitted, wait),
            (5, Wait::After(Nanos(10 * Nanos::SECOND.0)))
        );
        assert_eq!(
            window.quota(state, at_second(50)),
            (0, Nanos(10 * Nanos::SECOND.0))
        );
        let edge = at_second(60);
        assert!(window.charge(state, UnixTime(edge.0 - 1), 1).is_err());
        assert_eq!(drain(&window, &mut state, edge).0, 5);
    }

    #[test]
    fn a_sliding_window_lets_in_what_slides_out() {
        let window = per_minute(60, true);
        let mut state = Count::default();
        assert_eq!(drain(&window, &mut state, at_second(0)).0, 60);
        // Half a minute into the next window half of the previous one still counts.
        let (admitted, wait) = drain(&window, &mut state, at_second(90));
        assert_eq!((admitted, wait), (30, Wait::After(Nanos::SECOND)));
        let promised = at_second(91);
        assert!(window.charge(state, UnixTime(promised.0 - 1), 1).is_err());
        assert!(window.charge(state, promised, 1).is_ok());
    }

    #[test]
    fn a_step_back_across_an_edge_refunds_nothing() {
        for sliding in [false, true] {
            let window = per_minute(5, sliding);
            let mut state = Count::default();
            drain(&window, &mut state, at_second(61));
            let (admitted, wait) = drain(&window, &mut state, at_second(59));
            assert_eq!(admitted, 0);
            let Wait::After(wait) = wait else {
                panic!("a window ends")
            };
            let promised = at_second(59).plus(wait);
            assert!(window.charge(state, UnixTime(promised.0 - 1), 1).is_err());
            assert!(window.charge(state, promised, 1).is_ok());
        }
    }

    #[test]
    fn a_clock_that_was_an_hour_wrong_locks_nobody_out() {
        let window = per_minute(5, false);
        let mut state = Count::default();
        drain(&window, &mut state, at_second(3_600));
        assert_eq!(drain(&window, &mut state, at_second(0)).0, 5);
    }

    #[test]
    fn only_the_same_window_gets_its_charge_back() {
        let window = per_minute(5, true);
        let charged = window.charge(Count::default(), at_second(10), 3).unwrap();
        assert_eq!(window.give_back(charged, charged.index, 3).current, 0);
        let later = window.charge(charged, at_second(70), 1).unwrap();
        assert_eq!(window.give_back(later, charged.index, 3), later);
    }

    #[test]
    fn more_than_the_limit_is_never() {
        assert_eq!(
            per_minute(5, true).charge(Count::default(), at_second(0), 6),
            Err(Wait::Never)
        );
    }
}
