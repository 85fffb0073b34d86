//! The JSON Schema of a document, of the types that read it.
//!
//! The macros that declare an object's fields, and what is written in them, describe them too: a field is in both or in
//! none. Whatever a document is read from the schema accepts. It refuses what it can see: not what fields mean together,
//! what a text is beyond its form, or a member that is there twice.

mod written;

use serde_json::{Map, Value, json};

use super::body::{BodyTemplate, JsonTemplate, MAX_BODY, NamedBody, TextTemplate};
use super::decode::{List, OrEnv};
use super::headers::{AddedHeaders, CallHeaders, MOST_OF_CALLS, MOST_OF_REFUSALS};
use super::network::Network;
use super::raw::{
    self, AS, KeyPart, Limits, NORMALIZE, NamedPart, ObjectPart, PathForm, PathPattern,
    PathPatternList, PathPatterns, UNLIMITED,
};
use super::value::{
    Authority, CookieName, DescriptorKey, Domain, HeaderName, HeaderValue, Integer,
    MOST_OF_TEMPLATE, Method, Name, Per, SecretValue, ShortText, Span, Text, UtcOffset,
};
use crate::local::limit::MAX_LIMITS;
use crate::path::Template;
use crate::plan::Body;

pub(super) use self::written::Written;

/// Which JSON Schema is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// What editors and validators read today.
    Draft2020,
    /// What Kong's metadata of a filter is written in.
    Draft4,
}

/// The schema of a whole document.
#[must_use]
pub fn schema(dialect: Dialect) -> Value {
    let mut schema = raw::Document::describe(dialect);
    let name = match dialect {
        Dialect::Draft2020 => "https://json-schema.org/draft/2020-12/schema",
        Dialect::Draft4 => "http://json-schema.org/draft-04/schema#",
    };
    if let Value::Object(members) = &mut schema {
        members.insert("$schema".to_owned(), json!(name));
        members.insert("title".to_owned(), json!("Weir"));
    }
    schema
}

/// What says what it may be written as.
pub(super) trait Describe {
    fn describe(dialect: Dialect) -> Value;
}

/// The schema of an object that has no other members than these.
#[derive(Default)]
pub(super) struct Members {
    properties: Map<String, Value>,
    required: Vec<&'static str>,
}

impl Members {
    /// Adds a member; `doc` is what is said of it, blank where that is nothing.
    pub fn add(&mut self, name: &'static str, is_required: bool, doc: &str, schema: Value) {
        self.properties
            .insert(name.to_owned(), described(schema, doc));
        if is_required {
            self.required.push(name);
        }
    }

    /// The schema; draft 4 has no empty list of what is required.
    pub fn into_schema(self) -> Value {
        let mut schema = json!({
            "type": "object",
            "properties": self.properties,
            "additionalProperties": false,
        });
        if let (Value::Object(members), false) = (&mut schema, self.required.is_empty()) {
            members.insert("required".to_owned(), json!(self.required));
        }
        schema
    }

    /// The schema of an object that has exactly one of `choices`.
    pub fn into_choice(self, choices: &[&str]) -> Value {
        let choices: Vec<_> = choices
            .iter()
            .map(|name| json!({ "required": [name] }))
            .collect();
        let mut schema = self.into_schema();
        if let Value::Object(members) = &mut schema {
            members.insert("oneOf".to_owned(), json!(choices));
        }
        schema
    }
}

/// `schema` with what is said of it, blank where that is nothing.
fn described(schema: Value, doc: &str) -> Value {
    match doc.trim() {
        "" => schema,
        doc => annotated(schema, "description", json!(doc)),
    }
}

/// `schema` with one more keyword.
fn annotated(mut schema: Value, keyword: &str, said: Value) -> Value {
    if let Value::Object(members) = &mut schema {
        members.insert(keyword.to_owned(), said);
    }
    schema
}

/// `schema` with what it is when left out. Not in the one for Kong, whose validator could fill it in.
pub(super) fn with_default(schema: Value, default: &impl Written, dialect: Dialect) -> Value {
    match (default.written(), dialect) {
        (Some(default), Dialect::Draft2020) => annotated(schema, "default", default),
        _ => schema,
    }
}

/// `schema` with a member that its object may have besides.
fn with(mut schema: Value, name: &str, member: Value) -> Value {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.insert(name.to_owned(), member);
    }
    schema
}

fn any_of(schemas: &[Value]) -> Value {
    json!({ "anyOf": schemas })
}

/// What has at most so many bytes has no more characters than that.
fn text(pattern: &str, most: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": most, "pattern": pattern })
}

fn any_text(most: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": most })
}

/// The form of a text, as far as a pattern can tell it.
trait Form: Text {
    const PATTERN: &'static str;
}

/// RFC 9110 §5.6.2.
const TOKEN: &str = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";
const ENDS_VISIBLY: &str = "^[!-~]([\\t -~]*[!-~])?$";

/// Declares forms.
macro_rules! forms {
    ($($type:ty: $pattern:expr;)*) => {
        $(impl Form for $type {
            const PATTERN: &'static str = $pattern;
        })*
    };
}

forms! {
    Authority: "^[!-~]+$";
    CookieName: TOKEN;
    DescriptorKey: <Domain as Form>::PATTERN;
    Domain: "^[A-Za-z0-9_.-]+$";
    HeaderName: TOKEN;
    HeaderValue: ENDS_VISIBLY;
    Method: "^[!#$%&'*+.^_`|~0-9A-Z-]+$";
    Name: "^[a-z0-9][a-z0-9_.-]*$";
    UtcOffset: "^[+-](0[0-9]|1[0-4]):[0-5][0-9]$";
}

impl<T: Form> Describe for T {
    fn describe(_: Dialect) -> Value {
        text(T::PATTERN, T::MOST)
    }
}

impl Describe for SecretValue {
    fn describe(_: Dialect) -> Value {
        text(ENDS_VISIBLY, SecretValue::MOST)
    }
}

impl Describe for ShortText {
    fn describe(_: Dialect) -> Value {
        any_text(Self::MOST)
    }
}

impl Describe for bool {
    fn describe(_: Dialect) -> Value {
        json!({ "type": "boolean" })
    }
}

impl<T, const MIN: u64, const MAX: u64> Describe for Integer<T, MIN, MAX> {
    /// `20.0` is 20, as a Struct carries it; to draft 4 it is no integer.
    fn describe(dialect: Dialect) -> Value {
        match dialect {
            Dialect::Draft2020 => json!({ "type": "integer", "minimum": MIN, "maximum": MAX }),
            Dialect::Draft4 => {
                json!({ "type": "number", "multipleOf": 1, "minimum": MIN, "maximum": MAX })
            }
        }
    }
}

impl<T: Describe, const MIN: usize, const MAX: usize> Describe for List<T, MIN, MAX> {
    fn describe(dialect: Dialect) -> Value {
        json!({ "type": "array", "items": T::describe(dialect), "minItems": MIN, "maxItems": MAX })
    }
}

impl<T: Describe> Describe for OrEnv<T> {
    fn describe(dialect: Dialect) -> Value {
        let value = T::describe(dialect);
        let mut variable = Members::default();
        let name = text("^[A-Za-z_][A-Za-z0-9_]*$", 128);
        variable.add("env", true, "A variable of the VM's environment.", name);
        variable.add(
            "default",
            false,
            "What it is where that is not set.",
            value.clone(),
        );
        any_of(&[value, variable.into_schema()])
    }
}

impl Describe for Per {
    fn describe(_: Dialect) -> Value {
        text("^([1-9][0-9]*(ms|s|m|h|d)|calendar_(day|week|month))$", 14)
    }
}

impl<const MIN: u64, const MAX: u64> Describe for Span<MIN, MAX> {
    fn describe(_: Dialect) -> Value {
        text("^[1-9][0-9]*(ms|s|m|h|d)$", 14)
    }
}

impl Describe for Network {
    fn describe(_: Dialect) -> Value {
        json!({ "type": "string", "pattern": "^[0-9A-Fa-f:.]+(/[0-9]+)?$" })
    }
}

impl Describe for Template {
    fn describe(_: Dialect) -> Value {
        text("^/[^?#*]*\\{[^?#*]*$", MOST_OF_TEMPLATE)
    }
}

impl Describe for PathPatterns {
    fn describe(dialect: Dialect) -> Value {
        any_of(&[
            PathPattern::describe(dialect),
            PathPatternList::describe(dialect),
        ])
    }
}

impl Describe for PathPattern {
    fn describe(dialect: Dialect) -> Value {
        with(
            PathForm::describe(dialect),
            NORMALIZE,
            described(
                bool::describe(dialect),
                "Also for paths with //, . and .. in them, once these are resolved.",
            ),
        )
    }
}

impl Describe for KeyPart {
    fn describe(dialect: Dialect) -> Value {
        let object = with(
            ObjectPart::describe(dialect),
            AS,
            described(
                DescriptorKey::describe(dialect),
                "What the part is called in the descriptor that a service is asked about.",
            ),
        );
        any_of(&[NamedPart::describe(dialect), object])
    }
}

impl Describe for Limits {
    fn describe(dialect: Dialect) -> Value {
        any_of(&[
            json!({ "enum": [UNLIMITED] }),
            List::<raw::Limit, 1, MAX_LIMITS>::describe(dialect),
        ])
    }
}

/// Headers, at most `most`.
fn headers(value: Value, most: usize) -> Value {
    json!({
        "type": "object",
        "patternProperties": { TOKEN: value },
        "additionalProperties": false,
        "maxProperties": most,
    })
}

impl Describe for AddedHeaders {
    fn describe(dialect: Dialect) -> Value {
        headers(HeaderValue::describe(dialect), MOST_OF_REFUSALS)
    }
}

impl Describe for CallHeaders {
    fn describe(dialect: Dialect) -> Value {
        headers(OrEnv::<SecretValue>::describe(dialect), MOST_OF_CALLS)
    }
}

impl Describe for Body {
    fn describe(dialect: Dialect) -> Value {
        any_of(&[
            NamedBody::describe(dialect),
            BodyTemplate::describe(dialect),
        ])
    }
}

impl Describe for TextTemplate {
    fn describe(_: Dialect) -> Value {
        any_text(MAX_BODY)
    }
}

impl Describe for JsonTemplate {
    fn describe(_: Dialect) -> Value {
        json!({ "type": "object" })
    }
}
