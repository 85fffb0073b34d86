//! The body of a refusal.

use super::decode::{Decode, Reader};
use super::error::Path;
use super::hint::Known;
use super::json::Node;
use super::object::{names, one_of};
use crate::plan::Body;
use crate::reply::template::{Template, TemplateError, placeholders};

impl Decode for Body {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        match node {
            Node::String(_) => match Decode::decode(node, path, reader)? {
                NamedBody::Problem => Some(Self::Problem),
                NamedBody::None => Some(Self::None),
            },
            Node::Object(_) => match Decode::decode(node, path, reader)? {
                BodyTemplate::Text(template) => Some(Self::Text(template.0)),
                BodyTemplate::Json(template) => Some(Self::Json(template.0)),
            },
            _ => reader.unexpected(
                path,
                node,
                "\"problem\", \"none\", {\"text\": …} or {\"json\": …}",
            ),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NamedBody {
    Problem,
    None,
}

names!(NamedBody, "body" or "{\"text\": …} or {\"json\": …}" {
    "problem" => NamedBody::Problem,
    "none" => NamedBody::None,
});

one_of! {
    BodyTemplate, "body", besides [] {
        /// Plain text with placeholders.
        "text" => Text(TextTemplate),
        /// JSON with placeholders in its texts.
        "json" => Json(JsonTemplate),
    }
}

/// The most bytes of a template: every refusal carries it.
pub(super) const MAX_BODY: usize = 8_192;

/// A template of plain text.
#[derive(Debug)]
pub(super) struct TextTemplate(Template);

impl Decode for TextTemplate {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        match node {
            Node::String(text) if (1..=MAX_BODY).contains(&text.len()) => {
                compiled(Template::text(text), path, reader).map(Self)
            }
            _ => reader.unexpected(path, node, "1 to 8192 bytes of text"),
        }
    }
}

/// A JSON object that is a template.
#[derive(Debug)]
pub(super) struct JsonTemplate(Template);

impl Decode for JsonTemplate {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let Node::Object(_) = node else {
            return reader.unexpected(path, node, "an object");
        };
        scalars(node, path, reader)?;
        let template = Template::json(node).ok()?;
        if template.written_len() > MAX_BODY {
            return reader.refuse(path, "more than 8192 bytes are not allowed in a body");
        }
        Some(Self(template))
    }
}

/// Reports what is no template by itself: the place of each scalar is known here.
fn scalars(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<()> {
    let mut all = Some(());
    match node {
        Node::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                all = all.and(scalars(item, &path.item(index), reader));
            }
        }
        Node::Object(members) => {
            for (name, value) in members {
                all = all.and(scalars(value, &path.member(name), reader));
            }
        }
        scalar => all = compiled(Template::json(scalar), path, reader).map(drop),
    }
    all
}

fn compiled(
    template: Result<Template, Vec<TemplateError>>,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Template> {
    for error in template.as_ref().err().into_iter().flatten() {
        match error {
            TemplateError::Unclosed => reader.refuse(
                path,
                "a \"{\" without \"}\"; a brace that is text is written \"{{\"",
            ),
            TemplateError::Digits => reader.refuse(path, "a number of more than 15 digits"),
            TemplateError::Unknown(name) => {
                let names: Vec<_> = placeholders().collect();
                let known = Known {
                    names: &names,
                    besides: "",
                    places: &[],
                };
                reader.unknown(path, "placeholder", name, &known)
            }
        }
        .unwrap_or(());
    }
    template.ok()
}
