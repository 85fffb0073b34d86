//! A document judged where no proxy runs it: every error with its place, and what cannot be judged.

use super::decode::{Allowed, Reader};
use super::error::{Findings, Path};
use super::json::Node;
use super::raw;
use crate::plan::Plan;

pub use super::error::Finding;
pub use super::hint::nearest;

/// What is known of a variable of the VM's environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// It is not set, and what needs it is refused.
    Unset,
    /// It may be set, to what is not known here.
    Unknown,
    /// It is set to this.
    Set(String),
}

/// What there is to say of a document.
#[derive(Debug)]
pub struct Judgement {
    /// What would run; `None` where there are errors, or would be by what was guessed. The guesses for values that are
    /// [`assumed`](Self::assumed) stand in it.
    pub plan: Option<Plan>,
    /// In the order of the document, at most [`MAX_ERRORS`](super::MAX_ERRORS).
    pub errors: Vec<Finding>,
    /// How many errors there are beyond those.
    pub untold: usize,
    /// Values from a variable that is [unknown](Variable::Unknown) and has no default.
    pub assumed: Vec<Finding>,
}

/// Judges a document by the rules of [`load`](super::load).
///
/// A value that is not known could be any, so it is taken for one and then for another: what is wrong with both is
/// wrong, and what is wrong with one of them alone may be right.
pub fn check(root: &Node, environment: &dyn Fn(&str) -> Variable) -> Judgement {
    let low = judged_with(root, environment, Guess::Low);
    if low.assumed.is_empty() || low.errors.is_empty() {
        return low;
    }
    let high = judged_with(root, environment, Guess::High);
    let mut errors = low.errors;
    errors.retain(|error| high.errors.contains(error));
    Judgement {
        plan: high.plan,
        errors,
        untold: low.untold.min(high.untold),
        assumed: low.assumed,
    }
}

/// Judges a document with one guess for all that is not known.
fn judged_with(root: &Node, environment: &dyn Fn(&str) -> Variable, guess: Guess) -> Judgement {
    let value = |name: &str| match environment(name) {
        Variable::Set(value) => Some(value),
        Variable::Unset | Variable::Unknown => None,
    };
    let is_unknown = |name: &str| environment(name) == Variable::Unknown;
    let mut reader = Reader::new(root, &value, raw::PLACES);
    reader.unknown.names = &is_unknown;
    reader.unknown.guess = guess;
    let plan = super::read(root, &mut reader);
    let (assumed, _) = reader.unknown.findings.into_list();
    let (errors, untold) = reader.findings.into_list();
    Judgement {
        plan: plan.filter(|_| errors.is_empty()),
        errors,
        untold,
        assumed,
    }
}

/// Variables whose values are not known, and where they would have to be.
pub(super) struct Unknown<'a> {
    names: &'a dyn Fn(&str) -> bool,
    guess: Guess,
    /// How many values have been guessed.
    guessed: u64,
    findings: Findings<'a>,
}

/// What an unknown value is taken for.
#[derive(Clone, Copy)]
enum Guess {
    /// `true`, or a small number: a thousand and some.
    Low,
    /// `false`, or a large number.
    High,
}

impl Guess {
    /// No two numbers of a document are guessed alike, or limits would seem to have one name.
    fn value(self, allowed: &Allowed, nth: u64) -> Node {
        match (allowed, self) {
            (Allowed::Bool, _) => Node::Bool(matches!(self, Self::Low)),
            (Allowed::Integer { min, max }, Self::Low) => {
                Node::Unsigned(nth.saturating_add(UNLIKELY).clamp(*min, *max))
            }
            (Allowed::Integer { min, max }, Self::High) => {
                Node::Unsigned(max.saturating_sub(nth).max(*min))
            }
            (Allowed::Text(_) | Allowed::Secret(_), _) => Node::String("x".to_owned()),
        }
    }
}

impl<'a> Unknown<'a> {
    pub const fn none(root: &'a Node) -> Self {
        Self {
            names: &|_| false,
            guess: Guess::Low,
            guessed: 0,
            findings: Findings::new(root),
        }
    }

    pub fn contains(&self, name: &str) -> bool {
        (self.names)(name)
    }

    /// A value that is allowed, so that the rest of the document can be judged.
    pub fn assume(&mut self, path: &Path<'_>, name: &str, allowed: &Allowed) -> Node {
        let message = format!(
            "cannot be judged: the value of the environment variable {name} is not known here"
        );
        self.findings.push(path, &message);
        let value = self.guess.value(allowed, self.guessed);
        self.guessed = self.guessed.saturating_add(1);
        value
    }
}

/// A number that no limit is likely to be called after.
const UNLIKELY: u64 = 1_009;
