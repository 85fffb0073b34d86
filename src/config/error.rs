//! What is wrong with a document: every error, in the order of the document, one line each.

use std::fmt::{self, Write};

use super::json::{MAX_QUOTED, Node, quote};

/// The most errors that are told one by one; of the rest only the number is.
pub const MAX_ERRORS: usize = 100;

/// Why a document was refused. At least one line, at most [`MAX_ERRORS`] and one that says how many more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    lines: Vec<String>,
}

impl Errors {
    /// One error that has no place in the document.
    pub(super) fn of(line: String) -> Self {
        Self { lines: vec![line] }
    }

    /// One line for each error: where it is, what was found, what is allowed. No line contains a line break,
    /// or a value that came from the environment.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, line) in self.lines.iter().enumerate() {
            if place > 0 {
                f.write_char('\n')?;
            }
            f.write_str(line)?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// Where in a document: a list that grows towards the leaves and lives on the stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Root,
    Member(&'a str),
    /// A member by its place among the others too, since there may be more of its name.
    MemberAt(&'a str, usize),
    Item(usize),
}

impl<'a> Path<'a> {
    pub const ROOT: Self = Self {
        parent: None,
        step: Step::Root,
    };

    /// A member of the object that is here.
    pub const fn member(&'a self, name: &'a str) -> Self {
        Self {
            parent: Some(self),
            step: Step::Member(name),
        }
    }

    /// The member at that place of the object that is here.
    pub const fn member_at(&'a self, name: &'a str, place: usize) -> Self {
        Self {
            parent: Some(self),
            step: Step::MemberAt(name, place),
        }
    }

    /// An item of the list that is here.
    pub const fn item(&'a self, index: usize) -> Self {
        Self {
            parent: Some(self),
            step: Step::Item(index),
        }
    }

    /// What is here, and in `order` the place of every step among its siblings: compared, they sort errors as
    /// they stand in the document. A member that is missing comes after those that are there.
    fn locate<'n>(&self, root: &'n Node, order: &mut Vec<usize>) -> Option<&'n Node> {
        let Some(parent) = self.parent else {
            return Some(root);
        };
        let (place, node) = match (self.step, parent.locate(root, order)) {
            (Step::Member(name), Some(Node::Object(members))) => members
                .iter()
                .enumerate()
                .find(|(_, (key, _))| key == name)
                .map_or((usize::MAX, None), |(place, (_, node))| (place, Some(node))),
            (Step::MemberAt(_, place), Some(Node::Object(members))) => {
                (place, members.get(place).map(|(_, node)| node))
            }
            (Step::Item(place), Some(Node::Array(items))) => (place, items.get(place)),
            _ => (usize::MAX, None),
        };
        order.push(place);
        node
    }
}

impl fmt::Display for Path<'_> {
    /// `rules[2].limits[0].per`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else {
            return f.write_str("the document");
        };
        let below_root = parent.parent.is_none();
        if !below_root {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Item(index) => write!(f, "[{index}]"),
            Step::Member(name) | Step::MemberAt(name, _) if !is_plain(name) => {
                write!(f, "[{}]", quote(name))
            }
            Step::Member(name) | Step::MemberAt(name, _) => {
                if !below_root {
                    f.write_char('.')?;
                }
                f.write_str(name)
            }
        }
    }
}

/// Whether a member's name can stand in a path without quotes.
fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=MAX_QUOTED).contains(&name.len()) && name.bytes().all(is_plain)
}

/// One error and where it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of every step that leads there from the root the place among its siblings, members counted as they are
    /// written; `usize::MAX` for a member that is missing.
    pub place: Vec<usize>,
    line: String,
    /// The bytes at the end of `line` that are the message.
    #[cfg(feature = "cli")]
    message_len: usize,
}

#[cfg(feature = "cli")]
impl Finding {
    /// Where it is, as in `rules[2].limits[0].per`.
    #[must_use]
    pub fn path(&self) -> &str {
        let path = self.line.strip_suffix(self.message()).unwrap_or_default();
        path.strip_suffix(": ").unwrap_or(path)
    }

    /// What was found and what is allowed, on one line.
    #[must_use]
    pub fn message(&self) -> &str {
        let path_len = self.line.len().saturating_sub(self.message_len);
        self.line.get(path_len..).unwrap_or_default()
    }
}

/// Collects errors.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    root: &'a Node,
    /// In the order of the document.
    found: Vec<Finding>,
    untold: usize,
}

impl<'a> Findings<'a> {
    pub const fn new(root: &'a Node) -> Self {
        Self {
            root,
            found: Vec::new(),
            untold: 0,
        }
    }

    /// Whether an object without members is here.
    pub fn is_empty_object(&self, path: &Path<'_>) -> bool {
        let node = path.locate(self.root, &mut Vec::new());
        matches!(node, Some(Node::Object(members)) if members.is_empty())
    }

    /// Whether another error is only counted: then its text need not be made.
    pub const fn is_full(&self) -> bool {
        self.found.len() >= MAX_ERRORS
    }

    /// Adds one error.
    pub fn push(&mut self, path: &Path<'_>, message: &str) {
        if self.is_full() {
            self.untold = self.untold.saturating_add(1);
            return;
        }
        let mut order = Vec::new();
        path.locate(self.root, &mut order);
        let place = self.found.partition_point(|other| other.place <= order);
        let finding = Finding {
            place: order,
            line: format!("{path}: {message}"),
            #[cfg(feature = "cli")]
            message_len: message.len(),
        };
        self.found.insert(place, finding);
    }

    /// All of them, in the order of the document, and of how many more only the number is known.
    #[cfg(feature = "cli")]
    pub fn into_list(self) -> (Vec<Finding>, usize) {
        (self.found, self.untold)
    }

    /// All of them, in the order of the document; `Ok` if there are none.
    pub fn into_result(self) -> Result<(), Errors> {
        if self.found.is_empty() {
            return Ok(());
        }
        let mut lines: Vec<_> = self.found.into_iter().map(|found| found.line).collect();
        if self.untold > 0 {
            lines.push(format!("… and {} more", self.untold));
        }
        Err(Errors { lines })
    }
}
