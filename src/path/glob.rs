//! Globs over paths.

use std::fmt;

/// A glob such as `/api/**/admin/*`: `*` is any part of a segment, also none; `**` is any part of a path; all else
/// stands for itself. It is compared with the whole of a path in [`super::normal`] form.
///
/// # Cost
///
/// The literal bytes before the first star and behind the last one are compared first. What lies between runs as a
/// finite automaton whose states are bits: bit `i` is set while the first `i` literal bytes between the stars are
/// matched. A byte of the path moves all states at once: a state advances over its literal byte, and stays where it
/// stands at a star that takes the byte. All ways to match are followed side by side, so nothing is tried twice.
///
/// Hence a comparison takes at most one step of [`Glob::words`] words for each byte of the path, whatever pattern and
/// path are: no backtracking, no recursion, no allocation. Sixty-three literal bytes between the first star and the
/// last fit in one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    /// What every path begins with.
    head: Box<[u8]>,
    /// What every path ends with, behind the head.
    tail: Box<[u8]>,
    /// The class of each byte.
    classes: Box<[u8; 256]>,
    /// For each class, as many steps as there are words.
    steps: Box<[Step]>,
    /// The state in the last word that has matched all literals.
    accept: u64,
    /// The same where the last star is `**`, which takes all that follows; otherwise nothing.
    accept_early: u64,
    words: usize,
}

/// What a byte of the path does to the states of one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Step {
    /// States whose next literal byte it is.
    advance: u64,
    /// States at a star that takes it.
    stay: u64,
}

/// The class of bytes that are no literal of the glob. The other classes are at most 255: `*` is never a literal.
const ANY_OTHER: u8 = 0;

/// The most words of states. It bounds what a comparison costs for each byte of a path.
const MAX_WORDS: usize = 16;

/// The most literal bytes between the first star and the last.
const MAX_LITERALS: usize = MAX_WORDS * 64 - 1;

/// There are more than 1,023 literal bytes between the first star and the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Glob {
    /// The glob that `pattern` is, its literal bytes in the form of the paths that it is compared with.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn new(pattern: &[u8]) -> Result<Self, TooLong> {
        let is_star = |byte: &u8| *byte == b'*';
        let first = pattern.iter().position(is_star).unwrap_or(pattern.len());
        let (head, starred) = pattern.split_at_checked(first).unwrap_or_default();
        let after_last = starred.iter().rposition(is_star).map_or(0, |last| last + 1);
        let (middle, tail) = starred.split_at_checked(after_last).unwrap_or_default();

        let literals = middle.iter().filter(|byte| !is_star(byte)).count();
        if literals > MAX_LITERALS {
            return Err(TooLong);
        }
        let words = literals / 64 + 1;
        let mut glob = Self {
            head: head.into(),
            tail: tail.into(),
            classes: Box::new([ANY_OTHER; 256]),
            steps: [].into(),
            accept: 1 << (literals % 64),
            accept_early: 0,
            words,
        };
        glob.compile(middle);
        Ok(glob)
    }

    /// Words of states that a byte of the path moves, 1 to 16.
    #[must_use]
    pub const fn words(&self) -> usize {
        self.words
    }

    /// Whether the whole path has this shape.
    #[must_use]
    #[inline(never)]
    pub fn matches(&self, path: &[u8]) -> bool {
        let behind = path.strip_prefix(&*self.head);
        let between = behind.and_then(|rest| rest.strip_suffix(&*self.tail));
        between.is_some_and(|between| match self.words {
            1 => self.run(between),
            _ => self.run_in_words(between),
        })
    }

    /// Makes the steps of what is between the first star and the last.
    fn compile(&mut self, middle: &[u8]) {
        let words = self.words;
        let mut steps = vec![Step::default(); words];
        // A slash has a class of its own, since `*` does not take it.
        for byte in [b"/", middle].concat() {
            if let Some(class) = self.classes.get_mut(usize::from(byte))
                && *class == ANY_OTHER
                && byte != b'*'
            {
                *class = u8::try_from(steps.len() / words).unwrap_or(ANY_OTHER);
                steps.resize(steps.len() + words, Step::default());
            }
        }
        let slash = self.class(b'/');
        let (mut state, mut is_after_star) = (0, false);
        for byte in middle {
            let (word, bit) = (state / 64, 1 << (state % 64));
            let is_star = *byte == b'*';
            let is_second_star = is_star && is_after_star;
            for (class, steps) in steps.chunks_exact_mut(words).enumerate() {
                let Some(step) = steps.get_mut(word) else {
                    continue;
                };
                if is_second_star || is_star && class != slash {
                    step.stay |= bit;
                } else if !is_star && class == self.class(*byte) {
                    step.advance |= bit;
                }
            }
            self.accept_early = if is_second_star { bit } else { 0 };
            state += usize::from(!is_star);
            is_after_star = is_star;
        }
        self.steps = steps.into();
    }

    fn class(&self, byte: u8) -> usize {
        let class = self.classes.get(usize::from(byte));
        usize::from(class.copied().unwrap_or(ANY_OTHER))
    }

    /// Runs the automaton with all states in a register.
    fn run(&self, between: &[u8]) -> bool {
        let mut state = 1;
        for byte in between {
            let Some(step) = self.steps.get(self.class(*byte)) else {
                return false;
            };
            state = step.next(state, 0);
            if state & self.accept_early != 0 {
                return true;
            }
            if state == 0 {
                return false;
            }
        }
        state & self.accept != 0
    }

    /// The same over several words.
    fn run_in_words(&self, between: &[u8]) -> bool {
        let mut states = [0; MAX_WORDS];
        let mut last = 0;
        if let Some(first) = states.first_mut() {
            *first = 1;
        }
        for byte in between {
            let steps = self.steps.get(self.class(*byte) * self.words..);
            let (mut carried, mut alive) = (0, 0);
            for (state, step) in states
                .iter_mut()
                .take(self.words)
                .zip(steps.unwrap_or_default())
            {
                last = step.next(*state, carried);
                carried = (*state & step.advance) >> 63;
                alive |= last;
                *state = last;
            }
            if last & self.accept_early != 0 {
                return true;
            }
            if alive == 0 {
                return false;
            }
        }
        last & self.accept != 0
    }
}

impl Step {
    /// The states of a word after it. `carried` is the first bit, where the word before advances into this one.
    const fn next(self, state: u64, carried: u64) -> u64 {
        (state & self.advance) << 1 | carried | state & self.stay
    }
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "has more than 1023 bytes between its first and its last \"*\", once percent-encoded",
        )
    }
}

impl std::error::Error for TooLong {}

#[cfg(test)]
mod tests;
