//! YAML 1.2 with its places.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use saphyr::{Scalar, ScalarStyle, Tag};
use saphyr_parser::{Event, Parser, Span};
use weir::config::json::{MAX_DEPTH, Node};

use super::slip::{in_yaml, refusal, template};
use super::tree::{Spot, Tree, Unreadable};

/// The most values of a file. What has an anchor is kept aside, and so counted once more, as it is at each alias:
/// a few lines of them could stand for more than memory holds.
const MAX_VALUES: usize = 1_000_000;

/// So many bytes of a text that is kept or stood for count as a value: one may be a configuration, judged at each alias.
const BYTES_OF_VALUE: usize = 8;

/// Reads all documents of a file.
///
/// # Errors
/// The first reason why it cannot be read.
pub fn read(text: &str) -> Result<Vec<Tree>, Unreadable> {
    let mut reader = Reader::new(text);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let at = reader.offset(error.marker().index());
            in_yaml(text, at, error.info())
        })?;
        let place = reader.range(span);
        let at = place.start;
        let taken = reader.take(event, place);
        taken.map_err(|refused| template(text, at).unwrap_or(refused))?;
    }
    Ok(reader.documents)
}

struct Reader {
    /// The byte offset of every character, and that of the end.
    offsets: Vec<usize>,
    documents: Vec<Tree>,
    /// What has begun and not ended, from the outside in.
    open: Vec<Open>,
    anchors: HashMap<usize, Counted>,
    values: usize,
}

/// A list or an object of which the end is not yet known.
struct Open {
    anchor: usize,
    begin: usize,
    node: Node,
    parts: Vec<Spot>,
    /// The name of the member that comes next.
    name: Option<(String, usize)>,
    /// As in [`Counted`].
    values: usize,
    depth: usize,
}

/// A tree, the values that a copy of it counts as, and how deep it nests.
#[derive(Clone)]
struct Counted {
    tree: Tree,
    values: usize,
    depth: usize,
}

impl Reader {
    fn new(text: &str) -> Self {
        let offsets = text.char_indices().map(|(offset, _)| offset);
        Self {
            offsets: offsets.chain([text.len()]).collect(),
            documents: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            values: 0,
        }
    }

    fn offset(&self, index: usize) -> usize {
        let end = self.offsets.last();
        *self.offsets.get(index).or(end).unwrap_or(&0)
    }

    fn range(&self, span: Span) -> Range<usize> {
        self.offset(span.start.index())..self.offset(span.end.index())
    }

    fn take(&mut self, event: Event<'_>, place: Range<usize>) -> Result<(), Unreadable> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(text, style, anchor, tag.as_ref(), place)
            }
            Event::SequenceStart(anchor, _) => self.begin(anchor, Node::Array(Vec::new()), &place),
            Event::MappingStart(anchor, _) => self.begin(anchor, Node::Object(Vec::new()), &place),
            Event::SequenceEnd | Event::MappingEnd => self.end(&place),
            // Anchors are a document's own (YAML 1.2.2 §3.2.2.2).
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(known) => {
                    self.values = count(self.values, known.values, place.start)?;
                    let mut alias = known.clone();
                    alias.tree.spot.value = place;
                    self.add(alias)
                }
                None => Err(refusal(
                    place.start,
                    "an alias of no whole value of this document",
                )),
            },
            _ => Ok(()),
        }
    }

    fn begin(&mut self, anchor: usize, node: Node, place: &Range<usize>) -> Result<(), Unreadable> {
        if self.expects_name() {
            let reason = "a member is named by a list or an object; expected text";
            return Err(refusal(place.start, reason));
        }
        self.values = count(self.values, 1, place.start)?;
        self.open.push(Open {
            anchor,
            begin: place.start,
            node,
            parts: Vec::new(),
            name: None,
            values: 1,
            depth: 0,
        });
        if self.open.len() > MAX_DEPTH {
            return Err(too_deep(place.start));
        }
        Ok(())
    }

    fn end(&mut self, place: &Range<usize>) -> Result<(), Unreadable> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let spot = Spot {
            name: None,
            value: open.begin..place.end,
            parts: open.parts,
        };
        let whole = Counted {
            tree: Tree {
                node: open.node,
                spot,
            },
            values: open.values,
            depth: open.depth + 1,
        };
        self.keep(open.anchor, &whole)?;
        self.add(whole)
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Cow<'_, Tag>>,
        place: Range<usize>,
    ) -> Result<(), Unreadable> {
        let is_name = self.expects_name();
        if let (true, Some(open)) = (is_name, self.open.last_mut()) {
            open.values = open.values.saturating_add(text.len() / BYTES_OF_VALUE);
            open.name = Some((text.into_owned(), place.start));
            return Ok(());
        }
        self.values = count(self.values, 1, place.start)?;
        let bytes = text.len();
        let Some(scalar) = Scalar::parse_from_cow_and_metadata(text, style, tag) else {
            return Err(refusal(place.start, "the value is not what its tag says"));
        };
        let tree = Tree {
            node: node(scalar),
            spot: Spot {
                name: None,
                value: place,
                parts: Vec::new(),
            },
        };
        let whole = Counted {
            tree,
            values: 1 + bytes / BYTES_OF_VALUE,
            depth: 0,
        };
        self.keep(anchor, &whole)?;
        self.add(whole)
    }

    /// Keeps what aliases of an anchor will stand for; 0 is none.
    fn keep(&mut self, anchor: usize, whole: &Counted) -> Result<(), Unreadable> {
        if anchor > 0 {
            self.values = count(self.values, whole.values, whole.tree.spot.value.start)?;
            self.anchors.insert(anchor, whole.clone());
        }
        Ok(())
    }

    /// Whether the next value is the name of a member.
    fn expects_name(&self) -> bool {
        let innermost = self.open.last();
        innermost.is_some_and(|open| matches!(open.node, Node::Object(_)) && open.name.is_none())
    }

    /// Adds a whole value to what it stands in.
    fn add(&mut self, whole: Counted) -> Result<(), Unreadable> {
        let Counted {
            mut tree,
            values,
            depth,
        } = whole;
        let at = tree.spot.value.start;
        if self.open.len() + depth > MAX_DEPTH {
            return Err(too_deep(at));
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(tree);
            return Ok(());
        };
        open.values = open.values.saturating_add(values);
        open.depth = open.depth.max(depth);
        match &mut open.node {
            Node::Object(members) => {
                let Some((name, place)) = open.name.take() else {
                    let reason = "a member is named by an alias; expected text";
                    return Err(refusal(at, reason));
                };
                tree.spot.name = Some(place);
                members.push((name, tree.node));
            }
            Node::Array(items) => {
                tree.spot.name = None;
                items.push(tree.node);
            }
            _ => {}
        }
        open.parts.push(tree.spot);
        Ok(())
    }
}

fn node(scalar: Scalar<'_>) -> Node {
    match scalar {
        Scalar::Null => Node::Null,
        Scalar::Boolean(value) => Node::Bool(value),
        Scalar::Integer(value) => {
            u64::try_from(value).map_or(Node::Negative(value), Node::Unsigned)
        }
        Scalar::FloatingPoint(value) => Node::Float(value.into_inner()),
        Scalar::String(text) => Node::String(text.into_owned()),
    }
}

/// So many values and more, while they are few enough: aliases of aliases could be more than there is memory for.
fn count(values: usize, more: usize, at: usize) -> Result<usize, Unreadable> {
    let values = values.saturating_add(more);
    (values <= MAX_VALUES)
        .then_some(values)
        .ok_or_else(|| refusal(at, &format!("more than {MAX_VALUES} values")))
}

fn too_deep(at: usize) -> Unreadable {
    refusal(at, &format!("nested deeper than {MAX_DEPTH}"))
}
