//! How what was written is read: every kind of value says once what is allowed.
//!
//! Reading goes on after an error, so that all of them are told at once. What was wrong leaves a hole, and a
//! hole has always been reported: `None` needs no message of its own later.
//!
//! The code that is generic over the kinds of values is kept thin: it is there once for each of them.

use std::borrow::Cow;
use std::fmt;

use super::error::{Findings, Path};
use super::hint::{Known, Places, alternatives};
use super::json::{Node, quote};

/// What can be read from a written value.
pub(super) trait Decode: Sized {
    /// `None`: it was wrong, and that has been reported.
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self>;
}

/// A single value, such as a number or a name.
pub(super) trait Value: Sized {
    /// What is allowed.
    const ALLOWED: Allowed;

    /// `None` when `node` is not allowed.
    fn read(node: &Node) -> Option<Self>;
}

/// What a single value may be.
pub(super) enum Allowed {
    Bool,
    Integer {
        min: u64,
        max: u64,
    },
    /// A JSON string of this form.
    Text(&'static str),
    /// Likewise, and one that no message shows, wherever it was written.
    Secret(&'static str),
}

impl fmt::Display for Allowed {
    /// As it stands after "expected".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("true or false"),
            Self::Integer { min, max } => write!(f, "an integer from {min} to {max}"),
            Self::Text(form) | Self::Secret(form) => f.write_str(form),
        }
    }
}

impl<T: Value> Decode for T {
    #[inline(never)]
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let read = T::read(node);
        if read.is_none() {
            reader.unfit(path, node, &T::ALLOWED);
        }
        read
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
        let fits = |node: &Node| T::read(node).is_some();
        let node = reader.resolve(node, path, &T::ALLOWED, fits)?;
        T::read(&node).map(Self)
    }
}

/// Goes through a document: knows the environment and collects what is wrong.
pub(super) struct Reader<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    places: Places,
    pub findings: Findings<'a>,
    /// Where a variable's value would have to be known, see [`super::check`].
    #[cfg(feature = "cli")]
    pub unknown: super::check::Unknown<'a>,
}

/// Said of a member that is not there.
const REQUIRED: &str = "is required";

impl<'a> Reader<'a> {
    /// `places` are the objects that a document may have, for those who put a field into the wrong one.
    pub const fn new(
        root: &'a Node,
        environment: &'a dyn Fn(&str) -> Option<String>,
        places: Places,
    ) -> Self {
        Self {
            environment,
            places,
            findings: Findings::new(root),
            #[cfg(feature = "cli")]
            unknown: super::check::Unknown::none(root),
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
        self.found(path, found, &expected);
        None
    }

    /// Reports a value that is not allowed, and quotes that are too many or too few.
    #[inline(never)]
    fn unfit(&mut self, path: &Path<'_>, found: &Node, allowed: &Allowed) {
        if let Allowed::Secret(form) = allowed {
            return self.hidden(path, form);
        }
        let quotes = match (found, allowed) {
            (Node::String(_), Allowed::Bool | Allowed::Integer { .. }) => ", without quotes",
            (Node::Unsigned(_) | Node::Bool(_), Allowed::Text(_)) => ", in quotes",
            _ => "",
        };
        self.found(path, found, &format_args!("{allowed}{quotes}"));
    }

    /// Reports a value that is not allowed, or what stands where a value should, and may be a secret.
    #[inline(never)]
    pub fn hidden(&mut self, path: &Path<'_>, expected: &str) {
        let message = format!("the value is not allowed, and not shown here; expected {expected}");
        self.findings.push(path, &message);
    }

    #[inline(never)]
    fn found(&mut self, path: &Path<'_>, found: &Node, expected: &dyn fmt::Display) {
        let message = format!("{found} is not allowed; expected {expected}");
        self.findings.push(path, &message);
    }

    /// Reports a name that is not among those known, with what was probably meant.
    pub fn unknown<T>(
        &mut self,
        path: &Path<'_>,
        what: &str,
        name: &str,
        known: &Known<'_>,
    ) -> Option<T> {
        self.found_unknown(path, what, name, known);
        None
    }

    #[inline(never)]
    fn found_unknown(&mut self, path: &Path<'_>, what: &str, name: &str, known: &Known<'_>) {
        let message = match self.findings.is_full() {
            true => String::new(),
            false => format!("unknown {what} {}; {}", quote(name), known.hint(name)),
        };
        self.findings.push(path, &message);
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
            let first = quote(fields.first().unwrap_or(&""));
            return self.unexpected(path, node, &format!("an object such as {{{first}: …}}"));
        };
        let known = Known {
            names: fields,
            besides: "",
            places: self.places,
        };
        for (place, (name, _)) in members.iter().enumerate() {
            if !fields.contains(&name.as_str()) {
                self.unknown::<()>(&path.member_at(name, place), what, name, &known);
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
        let meant = match node {
            Node::Array(items) if (min..=max).contains(&items.len()) => return Some(items),
            // Lua has one empty table for lists and objects; Kong writes it as an object.
            Node::Object(members) if cfg!(feature = "kong") && min == 0 && members.is_empty() => {
                return Some(&[]);
            }
            Node::String(_) => format!("; did you mean [{node}]?"),
            _ => String::new(),
        };
        let expected = match min {
            0 => format!("a list of at most {max}{meant}"),
            _ => format!("a list of {min} to {max}{meant}"),
        };
        self.unexpected(path, node, &expected)
    }

    /// The place in `names` of the one that is written. What else could be written there is told by `besides`.
    pub fn choice(
        &mut self,
        node: &Node,
        path: &Path<'_>,
        what: &str,
        names: &[&str],
        besides: &str,
    ) -> Option<usize> {
        let Node::String(name) = node else {
            return self.unexpected(path, node, &alternatives(names));
        };
        let place = names.iter().position(|known| known == name);
        let known = Known {
            names,
            besides,
            places: &[],
        };
        place.or_else(|| self.unknown(path, what, name, &known))
    }

    /// The value that is written, or that of the variable which `{"env": …}` speaks of, or its default; one that
    /// `fits` in any case.
    fn resolve<'n>(
        &mut self,
        node: &'n Node,
        path: &Path<'_>,
        allowed: &Allowed,
        fits: fn(&Node) -> bool,
    ) -> Option<Cow<'n, Node>> {
        let mut written = |node: &'n Node, path: &Path<'_>| {
            if !fits(node) {
                self.unfit(path, node, allowed);
                return None;
            }
            Some(Cow::Borrowed(node))
        };
        if !matches!(node, Node::Object(_)) {
            return written(node, path);
        }
        let default = node.member("default");
        let default = default.map(|node| written(node, &path.member("default")));
        match self.variable(node, path, allowed)? {
            (_, None) => default?,
            (_, Some(value)) if fits(&value) => Some(Cow::Owned(value)),
            (name, Some(_)) => {
                self.bad_variable(path, name, allowed);
                None
            }
        }
    }

    /// The name of the variable that `{"env": …}` speaks of, and its value if it is set; one that is not has a
    /// default.
    fn variable<'n>(
        &mut self,
        node: &'n Node,
        path: &Path<'_>,
        allowed: &Allowed,
    ) -> Option<(&'n str, Option<Node>)> {
        self.members(node, path, "field", &["env", "default"])?;
        let env = path.member("env");
        let name = match node.member("env") {
            Some(Node::String(name)) if is_variable(name) => name,
            Some(other) => {
                const EXPECTED: &str = "the name of an environment variable";
                match allowed {
                    Allowed::Secret(_) => self.hidden(&env, EXPECTED),
                    _ => self.found(&env, other, &EXPECTED),
                }
                return None;
            }
            None => return self.required(&env),
        };
        match (self.environment)(name) {
            Some(text) if matches!(allowed, Allowed::Text(_) | Allowed::Secret(_)) => {
                Some((name, Some(Node::String(text))))
            }
            // What is not JSON is not a value of any type.
            Some(text) => Some((
                name,
                Some(Node::parse(text.as_bytes()).unwrap_or(Node::Null)),
            )),
            None if node.member("default").is_some() => Some((name, None)),
            #[cfg(feature = "cli")]
            None if self.unknown.contains(name) => {
                Some((name, Some(self.unknown.assume(path, name, allowed))))
            }
            None => {
                let message = format!(
                    "the environment variable {name} is not set, or not passed on to the module, and there is no \"default\""
                );
                self.refuse(path, &message)
            }
        }
    }

    /// Reports the value of a variable without showing it.
    #[inline(never)]
    fn bad_variable(&mut self, path: &Path<'_>, name: &str, allowed: &Allowed) {
        let message = format!(
            "the value of the environment variable {name} is not allowed; expected {allowed}"
        );
        self.findings.push(path, &message);
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
