//! Templates that nobody would write on purpose.

use proptest::prelude::*;
use serde_json::Value;
use weir::config::json::Node;
use weir::reply::template::{Template, Values, placeholders};

fn values() -> impl Strategy<Value = Values<'static>> {
    let never = || prop::option::of(any::<u64>());
    let numbers = (any::<[u32; 3]>(), any::<u64>());
    (numbers, never(), never(), never()).prop_map(
        |(([limit, burst, remaining], window_seconds), retry_after, reset_seconds, reset_epoch)| {
            Values {
                rule: "per-client",
                limit_name: "20-per-1s",
                limit,
                burst,
                remaining,
                window_seconds,
                retry_after,
                reset_seconds,
                reset_epoch,
            }
        },
    )
}

/// Text in which braces and placeholders are frequent.
fn text() -> impl Strategy<Value = String> {
    let known: Vec<String> = placeholders().map(|name| format!("{{{name}}}")).collect();
    let piece = prop_oneof![
        any::<String>(),
        "[{}\"\\\\]{1,3}",
        "\\{[a-z_]{0,6}\\}",
        prop::sample::select(known),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn json(strings: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Eighths: serde_json reads others to within one bit.
        any::<i32>().prop_map(|eighths| (f64::from(eighths) / 8.0).into()),
        strings.clone().prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 24, 4, move |inner| {
        let members = prop::collection::btree_map(strings.clone(), inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            members.prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn compile(json: &Value) -> Option<Template> {
    let node = Node::parse(json.to_string().as_bytes()).unwrap();
    Template::json(&node).ok()
}

fn rendered(template: &Template, values: &Values) -> Vec<u8> {
    let mut out = Vec::new();
    template.render(values, &mut out);
    out
}

/// `json` with every brace in its values doubled, and with the form that numbers take on the way.
fn doubled(json: &Value) -> (Value, Value) {
    match json {
        Value::String(text) => (text.replace('{', "{{").into(), json.clone()),
        Value::Array(items) => {
            let (escaped, plain): (Vec<_>, Vec<_>) = items.iter().map(doubled).unzip();
            (escaped.into(), plain.into())
        }
        Value::Object(members) => {
            let both = members.iter().map(|(name, value)| (name, doubled(value)));
            let (mut escaped, mut plain) = (members.clone(), members.clone());
            for (name, (with, without)) in both {
                escaped[name] = with;
                plain[name] = without;
            }
            (escaped.into(), plain.into())
        }
        Value::Number(number) => {
            let exact = |float: &f64| float.fract() == 0.0 && float.abs() <= 2_f64.powi(53);
            #[expect(clippy::cast_possible_truncation, reason = "an integer up to 2^53")]
            let integer = number.as_f64().filter(exact).map(|float| float as i64);
            let plain = integer.filter(|_| number.is_f64()).map(Value::from);
            (json.clone(), plain.unwrap_or_else(|| json.clone()))
        }
        Value::Null | Value::Bool(_) => (json.clone(), json.clone()),
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in text(), values in values()) {
        if let Ok(template) = Template::text(&text) {
            let body = rendered(&template, &values);
            prop_assert!(String::from_utf8(body).is_ok());
        }
    }

    #[test]
    fn text_without_placeholders_is_itself(text in any::<String>(), values in values()) {
        let template = Template::text(&text.replace('{', "{{")).unwrap();
        prop_assert_eq!(rendered(&template, &values), text.into_bytes());
    }

    #[test]
    fn json_stays_json(json in json(text().boxed()), values in values()) {
        if let Some(template) = compile(&json) {
            let body: Value = serde_json::from_slice(&rendered(&template, &values)).unwrap();
            prop_assert_eq!(body.is_object(), json.is_object());
            prop_assert_eq!(body.is_array(), json.is_array());
        }
    }

    #[test]
    fn json_without_placeholders_is_itself(json in json(any::<String>().boxed()), values in values()) {
        let (escaped, plain) = doubled(&json);
        let body = rendered(&compile(&escaped).unwrap(), &values);
        prop_assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), plain);
    }
}
