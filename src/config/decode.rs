//! How what was written is read: every kind of value says once what is allowed.
//!
//! Reading goes on after an error, so that all of them are told at once. What was wrong leaves a hole, and a
//! hole has always been reported: `None` needs no message of its own later.

use super::error::{Findings, Path};
use super::json::{Node, quote};

/// What can be read from a written value.
pub(super) trait Decode: Sized {
    /// `None`: it was wrong, and that has been reported.
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self>;
}

/// A single value, such as a number or a name.
pub(super) trait Value: Sized {
    /// Whether it is written as a JSON string.
    const IS_TEXT: bool;

    /// What is allowed, as it stands after "expected".
    fn expected() -> String;

    /// `None` when `node` is not allowed.
    fn read(node: &Node) -> Option<Self>;
}

/// A value that is one of a few names.
pub(super) trait Named: Copy + 'static {
    /// What the names are names of.
    const WHAT: &'static str;
    /// Every name and what it means.
    const NAMES: &'static [(&'static str, Self)];
}

/// Goes through a document: knows the environment and collects what is wrong.
pub(super) struct Reader<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    pub findings: Findings<'a>,
}

impl<'a> Reader<'a> {
    pub const fn new(root: &'a Node, environment: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            environment,
            findings: Findings::new(root),
        }
    }

    /// Reports an error. Its `None` can be the answer of the function that found it.
    pub fn refuse<T>(&mut self, path: &Path<'_>, message: &str) -> Option<T> {
        self.findings.push(path, message);
        None
    }

    /// Reports a value that is not among those allowed.
    pub fn unexpected<T>(&mut self, path: &Path<'_>, found: &Node, expected: &str) -> Option<T> {
        self.refuse(
            path,
            &format!("{found} is not allowed; expected {expected}"),
        )
    }

    /// Reports a name that is not among those known.
    pub fn unknown<T>(
        &mut self,
        path: &Path<'_>,
        what: &str,
        name: &str,
        known: &[&str],
    ) -> Option<T> {
        if self.findings.is_full() {
            return self.refuse(path, "");
        }
        let hint = match nearest(name, known) {
            Some(near) => format!("did you mean {}?", quote(near)),
            None => format!("expected {}", alternatives(known)),
        };
        self.refuse(path, &format!("unknown {what} {}; {hint}", quote(name)))
    }

    /// The members of an object, after reporting those whose names are not among `fields`.
    pub fn members<'n>(
        &mut self,
        node: &'n Node,
        path: &Path<'_>,
        fields: &[&str],
    ) -> Option<&'n [(String, Node)]> {
        let Node::Object(members) = node else {
            return self.unexpected(path, node, "an object");
        };
        for (name, _) in members {
            if !fields.contains(&name.as_str()) {
                self.unknown::<()>(&path.member(name), "field", name, fields);
            }
        }
        Some(members)
    }

    /// The items of a list of `min` to `max`.
    pub fn items<'n>(
        &mut self,
        node: &'n Node,
        path: &Path<'_>,
        (min, max): (usize, usize),
    ) -> Option<&'n [Node]> {
        match node {
            Node::Array(items) if (min..=max).contains(&items.len()) => Some(items),
            _ if min == 0 => self.unexpected(path, node, &format!("a list of at most {max}")),
            _ => self.unexpected(path, node, &format!("a list of {min} to {max}")),
        }
    }

    /// Whether exactly one of these members of an object is there; reports it if not.
    pub fn exactly_one(&mut self, path: &Path<'_>, members: &[(&str, bool)]) -> Option<()> {
        let there: Vec<_> = members.iter().filter(|(_, is_there)| *is_there).collect();
        if there.len() == 1 {
            return Some(());
        }
        let names: Vec<_> = members.iter().map(|(name, _)| *name).collect();
        let found = if there.is_empty() {
            "none"
        } else {
            "more than one"
        };
        self.refuse(
            path,
            &format!("{found} of {}; expected exactly one", alternatives(&names)),
        )
    }

    fn choose(
        &mut self,
        node: &Node,
        path: &Path<'_>,
        what: &str,
        names: &[&str],
    ) -> Option<usize> {
        let Node::String(name) = node else {
            return self.unexpected(path, node, &alternatives(names));
        };
        let place = names.iter().position(|known| known == name);
        place.or_else(|| self.unknown(path, what, name, names))
    }

    /// The name of the variable that `{"env": …}` speaks of, and its text if it is set.
    fn variable<'n>(
        &mut self,
        node: &'n Node,
        path: &Path<'_>,
    ) -> Option<(&'n str, Option<String>)> {
        self.members(node, path, &["env", "default"])?;
        let path = path.member("env");
        match node.member("env") {
            Some(Node::String(name)) if is_variable(name) => Some((name, (self.environment)(name))),
            Some(other) => self.unexpected(&path, other, "the name of an environment variable"),
            None => self.refuse(&path, REQUIRED),
        }
    }
}

impl<T: Value> Decode for T {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        T::read(node).or_else(|| reader.unexpected(path, node, &T::expected()))
    }
}

/// Reads one of a few names.
pub(super) fn named<T: Named>(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<T> {
    let names: Vec<_> = T::NAMES.iter().map(|(name, _)| *name).collect();
    let place = reader.choose(node, path, T::WHAT, &names)?;
    T::NAMES.get(place).map(|(_, value)| *value)
}

/// A list of `MIN` to `MAX` items, a hole for each that was wrong.
#[derive(Debug)]
pub(super) struct List<T, const MIN: usize, const MAX: usize>(pub Vec<Option<T>>);

impl<T: Decode, const MIN: usize, const MAX: usize> Decode for List<T, MIN, MAX> {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let items = reader.items(node, path, (MIN, MAX))?.iter().enumerate();
        Some(Self(
            items
                .map(|(index, item)| T::decode(item, &path.item(index), reader))
                .collect(),
        ))
    }
}

/// A value, or `{"env": "NAME", "default": …}` in its place. The variable's text is read as the JSON type of
/// the value. What came from the environment may be a secret and is never shown.
#[derive(Debug)]
pub(super) struct OrEnv<T>(pub T);

impl<T: Value> Decode for OrEnv<T> {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(node, Node::Object(_)) {
            return T::decode(node, path, reader).map(Self);
        }
        let default = node
            .member("default")
            .map(|node| T::decode(node, &path.member("default"), reader));
        let (name, text) = reader.variable(node, path)?;
        let refused = match (text, default) {
            (None, Some(default)) => return default.map(Self),
            (None, None) => "is not set, and there is no \"default\"".to_owned(),
            (Some(text), _) => {
                let node = if T::IS_TEXT {
                    Some(Node::String(text))
                } else {
                    Node::parse(text.as_bytes()).ok()
                };
                if let Some(value) = node.and_then(|node| T::read(&node)) {
                    return Some(Self(value));
                }
                format!(
                    "has a value that is not allowed; expected {}",
                    T::expected()
                )
            }
        };
        reader.refuse(path, &format!("the environment variable {name} {refused}"))
    }
}

/// Said of a member that is not there.
pub(super) const REQUIRED: &str = "is required";

/// Whether `name` is `[A-Za-z_][A-Za-z0-9_]{0,127}`.
fn is_variable(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// The known name that is nearest to `name`: at most two typing errors away, and at most a third of its length.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.len() > 64 {
        return None;
    }
    let distances = known
        .iter()
        .map(|known| (strsim::osa_distance(name, known), *known));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= 2 && distance * 3 <= nearest.len()).then_some(nearest)
}

/// `"a", "b" or "c"`.
fn alternatives(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| quote(name)).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
