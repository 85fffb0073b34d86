//! Values and where they were written.

use std::ops::Range;

use weir::config::json::Node;

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct Tree {
    pub node: Node,
    pub spot: Spot,
}

impl Tree {
    /// Where what is said of a place stands, when `earlier` things have been said of it. The members that have a name
    /// once more are spoken of first, one after the other, and then the first of that name.
    pub fn offset(&self, place: &[usize], earlier: usize) -> usize {
        let Some((last, outer)) = place.split_last() else {
            return self.spot.at();
        };
        let (object, members) = outer
            .iter()
            .fold((&self.spot, Some(&self.node)), |(spot, node), step| {
                (spot.part(*step), node.and_then(|node| item(node, *step)))
            });
        let again = match members {
            Some(Node::Object(members)) => repeated(members, *last).nth(earlier),
            _ => None,
        };
        object.part(again.unwrap_or(*last)).at()
    }
}

/// The places of the members of an object that are called as that at `first` is, after it.
fn repeated(members: &[(String, Node)], first: usize) -> impl Iterator<Item = usize> {
    let name = members.get(first).map(|(name, _)| name);
    let others = members.iter().enumerate().skip(first.saturating_add(1));
    others
        .filter(move |(_, (other, _))| Some(other) == name)
        .map(|(place, _)| place)
}

/// The member or item at a place.
fn item(node: &Node, place: usize) -> Option<&Node> {
    match node {
        Node::Array(items) => items.get(place),
        Node::Object(members) => members.get(place).map(|(_, node)| node),
        _ => None,
    }
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

impl Spot {
    /// Where something is said to be: a member at its name, anything else where it begins.
    pub fn at(&self) -> usize {
        self.name.unwrap_or(self.value.start)
    }

    /// The part at a place; the whole where there is none, since something is missing from it.
    fn part(&self, place: usize) -> &Self {
        self.parts.get(place).unwrap_or(self)
    }
}
