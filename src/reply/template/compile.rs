//! How a template is taken apart at its placeholders.

use super::{Piece, Placeholder, Template, TemplateError};
use crate::config::json::{Node, escape, is_exact};

/// How the text between placeholders is written.
#[derive(Clone, Copy)]
pub(super) enum Syntax {
    Text,
    JsonString,
}

/// Collects pieces and every error on the way.
#[derive(Default)]
pub(super) struct Compiler {
    pieces: Vec<Piece>,
    literal: Vec<u8>,
    errors: Vec<TemplateError>,
}

impl Compiler {
    pub(super) fn finish(mut self) -> Result<Template, Vec<TemplateError>> {
        self.end_literal();
        if self.errors.is_empty() {
            let pieces = self.pieces;
            Ok(Template { pieces })
        } else {
            Err(self.errors)
        }
    }

    pub(super) fn node(&mut self, node: &Node) {
        match node {
            Node::String(text) => self.string(text),
            Node::Array(items) => self.array(items),
            Node::Object(members) => self.object(members),
            Node::Float(number) if !is_exact(*number) => self.errors.push(TemplateError::Digits),
            // A scalar shows itself as JSON.
            scalar => self
                .literal
                .extend_from_slice(scalar.to_string().as_bytes()),
        }
    }

    fn array(&mut self, items: &[Node]) {
        self.literal.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.literal.push(b',');
            }
            self.node(item);
        }
        self.literal.push(b']');
    }

    fn object(&mut self, members: &[(String, Node)]) {
        self.literal.push(b'{');
        for (index, (name, value)) in members.iter().enumerate() {
            if index > 0 {
                self.literal.push(b',');
            }
            self.literal.push(b'"');
            self.escaped(name);
            self.literal.extend_from_slice(b"\":");
            self.node(value);
        }
        self.literal.push(b'}');
    }

    fn string(&mut self, text: &str) {
        let inner = text
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        match inner.and_then(Placeholder::named) {
            Some(placeholder) if placeholder.is_number() => self.value(placeholder, "null"),
            _ => {
                self.literal.push(b'"');
                self.text(text, Syntax::JsonString);
                self.literal.push(b'"');
            }
        }
    }

    pub(super) fn text(&mut self, text: &str, syntax: Syntax) {
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            self.between(before, syntax);
            rest = match after.strip_prefix('{') {
                Some(after) => {
                    self.literal.push(b'{');
                    after
                }
                None => self.placeholder(after),
            };
        }
        self.between(rest, syntax);
    }

    /// Reads a placeholder behind its opening brace; what follows it.
    fn placeholder<'t>(&mut self, text: &'t str) -> &'t str {
        let Some((name, rest)) = text.split_once('}') else {
            self.errors.push(TemplateError::Unclosed);
            return "";
        };
        match Placeholder::named(name) {
            Some(placeholder) => self.value(placeholder, "never"),
            None => self.errors.push(TemplateError::Unknown(name.to_owned())),
        }
        rest
    }

    fn between(&mut self, text: &str, syntax: Syntax) {
        match syntax {
            Syntax::Text => self.literal.extend_from_slice(text.as_bytes()),
            Syntax::JsonString => self.escaped(text),
        }
    }

    /// `text` as it stands between the quotes of a JSON string.
    fn escaped(&mut self, text: &str) {
        let mut out = String::with_capacity(text.len());
        escape(text, &mut out);
        self.literal.extend_from_slice(out.as_bytes());
    }

    fn value(&mut self, placeholder: Placeholder, never: &'static str) {
        self.end_literal();
        self.pieces.push(Piece::Value { placeholder, never });
    }

    fn end_literal(&mut self) {
        if !self.literal.is_empty() {
            let literal = std::mem::take(&mut self.literal).into_boxed_slice();
            self.pieces.push(Piece::Literal(literal));
        }
    }
}
