//! How many states of a regular expression a path can keep alive.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use regex_automata::nfa::thompson::{Compiler, Config, NFA, State, WhichCaptures};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;

/// Sets of states that are followed for one expression.
const MAX_SETS: usize = 400;

/// States that are looked at for one configuration, about a second.
const MAX_EFFORT: usize = 10_000_000;

/// The most states that an accepted expression has: it is of at most 16 KiB, a state of 32 bytes.
const MAX_STATES: usize = 512;

/// The bytes of a normal path.
const BYTES: RangeInclusive<u8> = b'!'..=b'~';

/// What is left of the effort that a configuration's expressions are worth. Where nothing is, and for an expression
/// that has too many sets of states, all states count as alive.
pub struct Effort(usize);

/// The states that are alive before a byte, and the sets that a byte makes of them.
struct Set {
    states: usize,
    following: BTreeSet<usize>,
}

impl Default for Effort {
    fn default() -> Self {
        Self(MAX_EFFORT)
    }
}

impl Effort {
    /// The states that are alive before each byte of a path, and `besides` for each byte, added up; for the path of so
    /// many bytes that makes the most of it.
    ///
    /// `regex-lite` follows all ways to match side by side, by an automaton of about these states. It stops at the first
    /// match, or where nothing is alive any more.
    pub fn most_alive(&mut self, regex: &str, bytes: usize, besides: usize) -> usize {
        let syntax = syntax::Config::new().unicode(false).utf8(false);
        let config = Config::new()
            .utf8(false)
            .which_captures(WhichCaptures::All)
            .nfa_size_limit(Some(1 << 20));
        let mut compiler = Compiler::new();
        let Ok(nfa) = compiler.syntax(syntax).configure(config).build(regex) else {
            return bytes.saturating_mul(MAX_STATES + besides);
        };
        let Some(sets) = self.sets(&nfa) else {
            return bytes.saturating_mul(nfa.states().len() + besides);
        };
        // A step of this costs a thirtieth of one there.
        let steps: usize = sets.iter().map(|set| set.following.len() + 1).sum();
        self.0 = self.0.saturating_sub(steps.saturating_mul(bytes) / 32);
        let mut most = vec![0_usize; sets.len()];
        for _ in 0..bytes {
            let from = |set: &Set| {
                let following = set.following.iter().filter_map(|next| most.get(*next));
                following.max().unwrap_or(&0) + set.states + besides
            };
            most = sets.iter().map(from).collect();
        }
        most.first().copied().unwrap_or(0)
    }

    /// The sets that paths lead to, that of the beginning first; `None` where they are too many.
    fn sets(&mut self, nfa: &NFA) -> Option<Vec<Set>> {
        let classes = nfa.byte_classes();
        let bytes: BTreeMap<u8, u8> = BYTES.map(|byte| (classes.get(byte), byte)).collect();
        let begin = closure(nfa, [nfa.start_anchored()], true);
        let mut places = BTreeMap::from([(begin.clone(), 0)]);
        let mut waiting = vec![begin];
        let mut sets: Vec<Set> = Vec::new();
        while let Some(states) = waiting.get(sets.len()).cloned() {
            let mut set = Set {
                states: states.len(),
                following: BTreeSet::new(),
            };
            let is_match = |state: &StateID| matches!(nfa.state(*state), State::Match { .. });
            let ends = states.iter().any(is_match);
            for byte in bytes.values().filter(|_| !ends) {
                let after = states.iter().filter_map(|state| after(nfa, *state, *byte));
                let again = (!nfa.is_always_start_anchored()).then_some(nfa.start_anchored());
                let next = closure(nfa, after.chain(again), false);
                self.0 = self.0.checked_sub(states.len() + next.len())?;
                if next.is_empty() {
                    continue;
                }
                let place = *places.entry(next).or_insert_with_key(|next| {
                    waiting.push(next.clone());
                    waiting.len() - 1
                });
                set.following.insert(place);
            }
            sets.push(set);
            if waiting.len() > MAX_SETS {
                return None;
            }
        }
        Some(sets)
    }
}

/// The state that a byte leads to.
fn after(nfa: &NFA, state: StateID, byte: u8) -> Option<StateID> {
    match nfa.state(state) {
        State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
        State::Sparse(transitions) => transitions.matches_byte(byte),
        State::Dense(transitions) => transitions.matches_byte(byte),
        _ => None,
    }
}

/// States, and those that they lead to without a byte. Conditions on the text around hold, except that only the
/// beginning is the beginning.
fn closure(
    nfa: &NFA,
    states: impl IntoIterator<Item = StateID>,
    is_beginning: bool,
) -> BTreeSet<StateID> {
    let mut closure = BTreeSet::new();
    let mut waiting: Vec<_> = states.into_iter().collect();
    while let Some(state) = waiting.pop() {
        if !closure.insert(state) {
            continue;
        }
        match nfa.state(state) {
            State::Look {
                look: Look::Start, ..
            } if !is_beginning => {}
            State::Look { next, .. } | State::Capture { next, .. } => waiting.push(*next),
            State::Union { alternates } => waiting.extend(alternates.iter()),
            State::BinaryUnion { alt1, alt2 } => waiting.extend([*alt1, *alt2]),
            _ => {}
        }
    }
    closure
}
