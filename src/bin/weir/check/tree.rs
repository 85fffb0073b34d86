//! Values and where they were written.

use std::ops::Range;

use weir::config::json::Node;

/// Why a text could not be read, and where: an offset, or none where it is all of the text.
#[derive(Debug)]
pub struct Unreadable {
    pub at: Option<usize>,
    pub reason: String,
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct Tree {
    pub node: Node,
    pub spot: Spot,
}

/// Where a value was written, as offsets into the text of its file.
#[derive(Clone, Debug)]
pub struct Spot {
    /// Where the name of a member begins.
    pub name: Option<usize>,
    pub value: Range<usize>,
    /// Of the members or items, in their order.
    pub parts: Vec<Spot>,
}

/// A value in a tree.
#[derive(Clone, Copy, Debug)]
pub struct Here<'a> {
    pub node: &'a Node,
    pub spot: &'a Spot,
}

impl Tree {
    /// All of it.
    pub fn whole(&self) -> Here<'_> {
        Here {
            node: &self.node,
            spot: &self.spot,
        }
    }
}

impl Spot {
    /// Where something is said to be: a member at its name, anything else where it begins.
    pub fn at(&self) -> usize {
        self.name.unwrap_or(self.value.start)
    }

    /// Changes every offset.
    pub fn shift(&mut self, to: &dyn Fn(usize) -> usize) {
        self.name = self.name.map(to);
        self.value = to(self.value.start)..to(self.value.end);
        for part in &mut self.parts {
            part.shift(to);
        }
    }

    /// The part at a place; the whole where there is none, since something is missing from it.
    fn part(&self, place: usize) -> &Self {
        self.parts.get(place).unwrap_or(self)
    }
}

impl<'a> Here<'a> {
    /// Where what is said of a place stands.
    pub fn offset(self, place: &[usize]) -> usize {
        let steps = place.iter();
        steps.fold(self.spot, |spot, step| spot.part(*step)).at()
    }

    /// The member of that name, or of the name that protobuf's JSON has for it: `vm_id` or `vmId`.
    pub fn member(self, name: &str) -> Option<Self> {
        let mut members = self.members();
        let found = members.find(|(other, _)| is_name(other, name));
        found.map(|(_, member)| member)
    }

    /// The member of that name, but for `null`, which hosts take for none.
    pub fn given(self, name: &str) -> Option<Self> {
        let member = self.member(name);
        member.filter(|member| *member.node != Node::Null)
    }

    /// What these names lead to, one after the other.
    pub fn path(self, names: &[&str]) -> Option<Self> {
        names.iter().try_fold(self, |here, name| here.member(name))
    }

    /// The text that these names lead to.
    pub fn text_at(self, names: &[&str]) -> Option<&'a str> {
        self.path(names)?.text()
    }

    /// The members of an object; of anything else none.
    pub fn members(self) -> impl Iterator<Item = (&'a str, Self)> {
        let members = match self.node {
            Node::Object(members) => members.as_slice(),
            _ => &[],
        };
        let parts = members.iter().zip(&self.spot.parts);
        parts.map(|((name, node), spot)| (name.as_str(), Self { node, spot }))
    }

    /// The items of a list; of anything else none.
    pub fn items(self) -> impl Iterator<Item = Self> {
        let items = match self.node {
            Node::Array(items) => items.as_slice(),
            _ => &[],
        };
        let parts = items.iter().zip(&self.spot.parts);
        parts.map(|(node, spot)| Self { node, spot })
    }

    pub fn text(self) -> Option<&'a str> {
        match self.node {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn at(self) -> usize {
        self.spot.at()
    }
}

/// Whether `other` is `name`, which has underscores, or that in camel case.
pub fn is_name(other: &str, name: &str) -> bool {
    other == name || is_camel_case(other, name)
}

fn is_camel_case(other: &str, name: &str) -> bool {
    let words = name.split('_').enumerate();
    let camel = words.flat_map(|(place, word)| {
        word.chars()
            .enumerate()
            .map(move |(letter, char)| match (place, letter) {
                (1.., 0) => char.to_ascii_uppercase(),
                _ => char,
            })
    });
    other.chars().eq(camel)
}
