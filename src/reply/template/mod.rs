//! Bodies with placeholders: `{rule}` is the name of the rule that refused, `{{` is a brace.
//!
//! A template is taken apart once, when it is configured; what is left to do per refusal is to copy bytes
//! and to write integers. Only `{` is special: a `}` outside a placeholder is itself, so `{{"a":{{}}` says
//! `{"a":{}}`.

mod compile;

use self::compile::{Compiler, Syntax};
use crate::config::json::Node;

/// A body, taken apart at its placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

/// What the placeholders of one refusal stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values<'a> {
    /// `{rule}`; a name as in [`crate::plan::Rule`], which no syntax needs to escape.
    pub rule: &'a str,
    /// `{limit_name}`; likewise.
    pub limit_name: &'a str,
    /// `{limit}`: requests per period.
    pub limit: u32,
    /// `{burst}`: the most that is admitted at once.
    pub burst: u32,
    /// `{remaining}`
    pub remaining: u32,
    /// `{window_seconds}`: the period, rounded up.
    pub window_seconds: u64,
    /// `{retry_after}`: seconds; `None` is never.
    pub retry_after: Option<u64>,
    /// `{reset_seconds}`: seconds; `None` is never.
    pub reset_seconds: Option<u64>,
    /// `{reset_epoch}`: seconds of Unix time; `None` is never.
    pub reset_epoch: Option<u64>,
}

/// What can be wrong with a template: the operator's mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// A placeholder that is none of [`placeholders`]; what stands between its braces.
    Unknown(String),
    /// A `{` that no `}` closes and that is not doubled.
    Unclosed,
    /// A number that 15 digits do not say.
    Digits,
}

/// The names of all placeholders.
pub fn placeholders() -> impl Iterator<Item = &'static str> {
    Placeholder::ALL.iter().map(|(name, _)| *name)
}

impl Template {
    /// A template of plain text.
    ///
    /// # Errors
    /// Every placeholder that is unknown or not closed.
    pub fn text(text: &str) -> Result<Self, Vec<TemplateError>> {
        let mut compiler = Compiler::default();
        compiler.text(text, Syntax::Text);
        compiler.finish()
    }

    /// A template of JSON, which renders as JSON for any [`Values`].
    ///
    /// Placeholders work in string values, not in the names of members. A string that is exactly one numeric
    /// placeholder becomes a number, or `null` where that number is never. Integral floats lose their
    /// fraction: a Struct carries 429 as 429.0.
    ///
    /// # Errors
    /// Every placeholder that is unknown or not closed and every number of too many digits, in the order of the
    /// document.
    pub fn json(node: &Node) -> Result<Self, Vec<TemplateError>> {
        let mut compiler = Compiler::default();
        compiler.node(node);
        compiler.finish()
    }

    /// Bytes of what stands between its placeholders.
    #[must_use]
    pub fn written_len(&self) -> usize {
        let literal = |piece: &Piece| match piece {
            Piece::Literal(bytes) => bytes.len(),
            Piece::Value { .. } => 0,
        };
        self.pieces.iter().map(literal).sum()
    }

    /// Whether it tells a Unix time.
    #[must_use]
    pub fn tells_epoch(&self) -> bool {
        self.pieces.iter().any(|piece| {
            matches!(
                piece,
                Piece::Value {
                    placeholder: Placeholder::ResetEpoch,
                    ..
                }
            )
        })
    }

    /// Appends the body; allocates at most once.
    pub fn render(&self, values: &Values, out: &mut Vec<u8>) {
        out.reserve(self.pieces.iter().map(|piece| piece.max_len(values)).sum());
        for piece in &self.pieces {
            match piece {
                Piece::Literal(bytes) => out.extend_from_slice(bytes),
                Piece::Value { placeholder, never } => match placeholder.value(values) {
                    Value::Name(name) => out.extend_from_slice(name.as_bytes()),
                    Value::Number(number) => {
                        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
                    }
                    Value::Never => out.extend_from_slice(never.as_bytes()),
                },
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(Box<[u8]>),
    Value {
        placeholder: Placeholder,
        /// What stands here for a number that is never.
        never: &'static str,
    },
}

impl Piece {
    fn max_len(&self, values: &Values) -> usize {
        match self {
            Self::Literal(bytes) => bytes.len(),
            Self::Value { placeholder, .. } => match placeholder.value(values) {
                Value::Name(name) => name.len(),
                Value::Number(_) | Value::Never => MAX_NUMBER,
            },
        }
    }
}

/// Digits of the largest u64; no word for never is longer.
const MAX_NUMBER: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placeholder {
    Rule,
    LimitName,
    Limit,
    Burst,
    Remaining,
    WindowSeconds,
    RetryAfter,
    ResetSeconds,
    ResetEpoch,
}

enum Value<'a> {
    Name(&'a str),
    Number(u64),
    Never,
}

impl Placeholder {
    const ALL: [(&'static str, Self); 9] = [
        ("rule", Self::Rule),
        ("limit_name", Self::LimitName),
        ("limit", Self::Limit),
        ("burst", Self::Burst),
        ("remaining", Self::Remaining),
        ("window_seconds", Self::WindowSeconds),
        ("retry_after", Self::RetryAfter),
        ("reset_seconds", Self::ResetSeconds),
        ("reset_epoch", Self::ResetEpoch),
    ];

    fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, placeholder)| *placeholder)
    }

    const fn is_number(self) -> bool {
        !matches!(self, Self::Rule | Self::LimitName)
    }

    fn value<'a>(self, values: &Values<'a>) -> Value<'a> {
        let optional = |number: Option<u64>| number.map_or(Value::Never, Value::Number);
        match self {
            Self::Rule => Value::Name(values.rule),
            Self::LimitName => Value::Name(values.limit_name),
            Self::Limit => Value::Number(values.limit.into()),
            Self::Burst => Value::Number(values.burst.into()),
            Self::Remaining => Value::Number(values.remaining.into()),
            Self::WindowSeconds => Value::Number(values.window_seconds),
            Self::RetryAfter => optional(values.retry_after),
            Self::ResetSeconds => optional(values.reset_seconds),
            Self::ResetEpoch => optional(values.reset_epoch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const VALUES: Values = Values {
        rule: "per-client",
        limit_name: "60-per-60s",
        limit: 60,
        burst: 80,
        remaining: 0,
        window_seconds: 60,
        retry_after: Some(5),
        reset_seconds: Some(7),
        reset_epoch: Some(1_702_732_865),
    };
    const NEVER: Values = Values {
        retry_after: None,
        reset_seconds: None,
        reset_epoch: None,
        ..VALUES
    };

    fn rendered(template: &Template, values: &Values) -> String {
        let mut out = Vec::new();
        template.render(values, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn text(text: &str, values: &Values) -> String {
        rendered(&Template::text(text).unwrap(), values)
    }

    fn json(text: &str, values: &Values) -> String {
        let node = Node::parse(text.as_bytes()).unwrap();
        rendered(&Template::json(&node).unwrap(), values)
    }

    #[test]
    fn every_placeholder_has_its_value() {
        let all: Vec<String> = placeholders().map(|name| format!("{{{name}}}")).collect();
        let all = all.join(" ");
        let expected = "per-client 60-per-60s 60 80 0 60 5 7 1702732865";
        assert_eq!(text(&all, &VALUES), expected);
        let expected = "per-client 60-per-60s 60 80 0 60 never never never";
        assert_eq!(text(&all, &NEVER), expected);
    }

    #[test]
    fn a_doubled_brace_is_a_brace_and_a_closing_one_is_itself() {
        assert_eq!(
            text("{{rule} }} {{{rule}}", &VALUES),
            "{rule} }} {per-client}"
        );
        assert_eq!(text(r#"{{"a":{{}}"#, &VALUES), r#"{"a":{}}"#);
        assert_eq!(text("", &VALUES), "");
    }

    #[test]
    fn a_json_string_of_one_number_is_that_number() {
        let template = r#"{"error":"rate_limit_exceeded","message":"Maximum {limit} requests per {window_seconds} seconds.",
            "retry_after":"{retry_after}","reset_at":"{reset_epoch}","by":"{rule}","in":" {retry_after}"}"#;
        assert_eq!(
            json(template, &VALUES),
            r#"{"error":"rate_limit_exceeded","message":"Maximum 60 requests per 60 seconds.","retry_after":5,"reset_at":1702732865,"by":"per-client","in":" 5"}"#
        );
        assert_eq!(
            json(
                r#"["{retry_after}","in {retry_after} s","{reset_epoch}"]"#,
                &NEVER
            ),
            r#"[null,"in never s",null]"#
        );
    }

    #[test]
    fn json_keeps_its_scalars_and_escapes_its_strings() {
        assert_eq!(
            json(
                r#"[null,true,429,-1,429.0,-2.0,0.5,0.001,"\"\\\n\u0001é{{"]"#,
                &VALUES
            ),
            r#"[null,true,429,-1,429,-2,0.5,0.001,"\"\\\u000a\u0001é{"]"#
        );
        assert_eq!(json(r#"{"{rule}\"":{}}"#, &VALUES), r#"{"{rule}\"":{}}"#);
    }

    #[test]
    fn every_mistake_is_reported() {
        let node = Node::parse(br#"{"a":"{rul}","b":[1,"{limit} {burst"],"c":{"d":"{}{ rule}"}}"#);
        assert_eq!(
            Template::json(&Node::Float(1e300)),
            Err(vec![TemplateError::Digits])
        );
        let unknown = |name: &str| TemplateError::Unknown(name.to_owned());
        assert_eq!(
            Template::json(&node.unwrap()),
            Err(vec![
                unknown("rul"),
                TemplateError::Unclosed,
                unknown(""),
                unknown(" rule"),
            ])
        );
        assert_eq!(Template::text("{"), Err(vec![TemplateError::Unclosed]));
    }
}
