//! How what was written is read: every kind of value says once what is allowed.
//!
//! Reading goes on after an error, so that all of them are told at once. What was wrong leaves a hole, and a
//! hole has always been reported: `None` needs no message of its own later.
//!
//! The code that is generic over the kinds of values is kept thin: it is there once for each of them.

use std::borrow::Cow;

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
    fn expected() -> Cow<'static, str>;

    /// `None` when `node` is not allowed.
    fn read(node: &Node) -> Option<Self>;
}

impl<T: Value> Decode for T {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        T::read(node).or_else(|| reader.unexpected(path, node, &T::expected()))
    }
}

/// A list of `MIN` to `MAX` items, a hole for each that was wrong.
#[derive(Debug)]
pub(super) struct List<T, const MIN: usize, const MAX: usize>(pub Vec<Option<T>>);

impl<T, const MIN: usize, const MAX: usize> List<T, MIN, MAX> {
    /// What `make` makes of every item and its place; `None` when there was a hole or it left one.
    pub fn build<U>(self, mut make: impl FnMut(usize, T) -> Option<U>) -> Option<Vec<U>> {
        let mut made = Vec::with_capacity(self.0.len());
        let mut is_whole = true;
        for (index, item) in self.0.into_iter().enumerate() {
            match item.and_then(|item| make(index, item)) {
                Some(item) => made.push(item),
                None => is_whole = false,
            }
        }
        is_whole.then_some(made)
    }
}

impl<T: Decode, const MIN: usize, const MAX: usize> Decode for List<T, MIN, MAX> {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let items = reader.items(node, path, MIN, MAX)?;
        let mut list = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            list.push(T::decode(item, &path.item(index), reader));
        }
        Some(Self(list))
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
        match reader.variable(node, path, T::IS_TEXT)? {
            (name, Some(value)) => T::read(&value)
                .map(Self)
                .or_else(|| reader.bad_variable(path, name, &T::expected())),
            (_, None) => default?.map(Self),
        }
    }
}

/// Goes through a document: knows the environment and collects what is wrong.
pub(super) struct Reader<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    pub findings: Findings<'a>,
}

/// Said of a member that is not there.
const REQUIRED: &str = "is required";

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

    /// Reports that a member is missing.
    pub fn required<T>(&mut self, path: &Path<'_>) -> Option<T> {
        self.refuse(path, REQUIRED)
    }

    /// Reports a value that is not among those allowed.
    pub fn unexpected<T>(&mut self, path: &Path<'_>, found: &Node, expected: &str) -> Option<T> {
        self.findings.push(
            path,
            &format!("{found} is not allowed; expected {expected}"),
        );
        None
    }

    /// Reports a name that is not among those known, with the nearest of them, or all.
    pub fn unknown<T>(
        &mut self,
        path: &Path<'_>,
        what: &str,
        name: &str,
        known: &[&str],
    ) -> Option<T> {
        let message = match self.findings.is_full() {
            true => String::new(),
            false => format!("unknown {what} {}; {}", quote(name), hint(name, known)),
        };
        self.refuse(path, &message)
    }

    /// The members of an object, after reporting those whose names are not among `fields`.
    pub fn members<'n>(
        &mut self,
        node: &'n Node,
        path: &Path<'_>,
        what: &str,
        fields: &[&str],
    ) -> Option<&'n [(String, Node)]> {
        let Node::Object(members) = node else {
            return self.unexpected(path, node, "an object");
        };
        for (name, _) in members {
            if !fields.contains(&name.as_str()) {
                self.unknown::<()>(&path.member(name), what, name, fields);
            }
        }
        Some(members)
    }

    /// The only member of an object that is one of `choices`, and its place there. With it may be those that
    /// are `known` besides.
    pub fn only_member<'n>(
        &mut self,
        node: &'n Node,
        path: &Path<'_>,
        what: &str,
        choices: &[&str],
        known: &[&str],
    ) -> Option<(usize, &'n Node)> {
        let members = self.members(node, path, what, known)?;
        let mut chosen = None;
        let mut all_known = true;
        for (name, node) in members {
            let place = choices.iter().position(|choice| choice == name);
            match (place, chosen) {
                (None, _) => all_known = all_known && known.contains(&name.as_str()),
                (Some(place), Some((first, _))) if place != first => {
                    let message = format!(
                        "more than one of these is not allowed; expected {}",
                        alternatives(choices)
                    );
                    return self.refuse(path, &message);
                }
                (Some(place), _) => chosen = chosen.or(Some((place, node))),
            }
        }
        // One that is not known has been reported, and was probably meant to be the one.
        match chosen {
            None if all_known => self.unexpected(path, node, &alternatives(choices)),
            chosen => chosen,
        }
    }

    /// The items of a list of `min` to `max`.
    pub fn items<'n>(
        &mut self,
        node: &'n Node,
        path: &Path<'_>,
        min: usize,
        max: usize,
    ) -> Option<&'n [Node]> {
        match node {
            Node::Array(items) if (min..=max).contains(&items.len()) => Some(items),
            _ if min == 0 => self.unexpected(path, node, &format!("a list of at most {max}")),
            _ => self.unexpected(path, node, &format!("a list of {min} to {max}")),
        }
    }

    /// The place in `names` of the one that is written.
    pub fn choice(
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

    /// The name of the variable that `{"env": …}` speaks of, and its value if it is set; one that is not has a
    /// default.
    fn variable<'n>(
        &mut self,
        node: &'n Node,
        path: &Path<'_>,
        is_text: bool,
    ) -> Option<(&'n str, Option<Node>)> {
        self.members(node, path, "field", &["env", "default"])?;
        let env = path.member("env");
        let name = match node.member("env") {
            Some(Node::String(name)) if is_variable(name) => name,
            Some(other) => {
                return self.unexpected(&env, other, "the name of an environment variable");
            }
            None => return self.required(&env),
        };
        match (self.environment)(name) {
            Some(text) if is_text => Some((name, Some(Node::String(text)))),
            // What is not JSON is not a value of any type.
            Some(text) => Some((
                name,
                Some(Node::parse(text.as_bytes()).unwrap_or(Node::Null)),
            )),
            None if node.member("default").is_some() => Some((name, None)),
            None => {
                let message = format!(
                    "the environment variable {name} is not set, and there is no \"default\""
                );
                self.refuse(path, &message)
            }
        }
    }

    /// Reports the value of a variable without showing it.
    fn bad_variable<T>(&mut self, path: &Path<'_>, name: &str, expected: &str) -> Option<T> {
        let message = format!(
            "the value of the environment variable {name} is not allowed; expected {expected}"
        );
        self.refuse(path, &message)
    }
}

/// Whether `name` is `[A-Za-z_][A-Za-z0-9_]{0,127}`.
fn is_variable(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// What was probably meant by `name`, or all that could be.
fn hint(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => format!("did you mean {}?", quote(near)),
        None => format!("expected {}", alternatives(known)),
    }
}

/// The known name that is nearest to `name`: at most two typing errors away, and those in at most a third of it.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.len() > MAX_COMPARED {
        return None;
    }
    let distances = known
        .iter()
        .map(|known| (strsim::osa_distance(name, known), *known));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= 2 && distance * 3 <= nearest.len()).then_some(nearest)
}

/// The longest name that is compared with the known ones, of which the longest has 19 bytes.
const MAX_COMPARED: usize = 32;

/// `"a", "b" or "c"`.
fn alternatives(names: &[&str]) -> String {
    let mut out = String::new();
    for (place, name) in names.iter().enumerate() {
        out += match names.len() - place {
            _ if place == 0 => "",
            1 => " or ",
            _ => ", ",
        };
        out += &quote(name);
    }
    out
}
