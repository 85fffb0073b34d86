//! Recorded answers, changed on the way: never a panic, never a grant that was none.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;
use weir::global::wire::{Engine, Fault};

use super::recorded::{Exchange, all};

/// The answers in which the engine spoke.
fn read() -> impl Strategy<Value = Exchange> {
    recorded(|exchange| exchange.read().is_ok())
}

/// Those of them that speak in their body.
fn read_in_body() -> impl Strategy<Value = Exchange> {
    recorded(|exchange| exchange.read().is_ok() && exchange.engine != Engine::Limitador)
}

/// Those that refuse all that was asked.
fn refusing() -> impl Strategy<Value = Exchange> {
    recorded(refuses_all)
}

/// Those of them that refuse in their body.
fn refusing_in_body() -> impl Strategy<Value = Exchange> {
    recorded(|exchange| refuses_all(exchange) && exchange.engine != Engine::Limitador)
}

fn refuses_all(exchange: &Exchange) -> bool {
    let told = exchange.read().unwrap_or_default();
    !told.is_empty() && told.iter().all(|told| told.is_ok_and(|told| !told.granted))
}

fn recorded(is_meant: impl Fn(&Exchange) -> bool) -> impl Strategy<Value = Exchange> {
    let meant: Vec<_> = all().into_iter().filter(is_meant).collect();
    for engine in [Engine::EnvoyRatelimit, Engine::Gubernator] {
        assert!(meant.iter().any(|exchange| exchange.engine == engine));
    }
    select(meant)
}

/// Changes some bytes.
#[derive(Clone, Debug)]
enum Edit {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Splice(Index, Index, Index),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let words = [
        "{", "}", "[", "]", ",", ":", "\"", "null", "1e400", "-1", "\u{0}", "\\ud800",
    ];
    let words = words.map(|word| word.as_bytes().to_vec()).to_vec();
    let edit = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, bits)| Edit::Flip(at, bits)),
        (any::<Index>(), select(words)).prop_map(|(at, word)| Edit::Insert(at, word)),
        any::<(Index, Index, Index)>().prop_map(|(from, to, at)| Edit::Splice(from, to, at)),
    ];
    prop::collection::vec(edit, 1..4)
}

fn edited(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for edit in edits {
        let place = |at: &Index, len: usize| at.index(len + 1);
        match edit {
            Edit::Flip(..) if bytes.is_empty() => {}
            Edit::Flip(at, bits) => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Edit::Insert(at, word) => {
                let at = place(at, bytes.len());
                bytes.splice(at..at, word.iter().copied());
            }
            Edit::Splice(from, to, at) => {
                let ends = [from, to].map(|end| place(end, bytes.len()));
                let part = bytes[ends[0].min(ends[1])..ends[0].max(ends[1])].to_vec();
                let at = place(at, bytes.len());
                bytes.splice(at..at, part);
            }
        }
    }
    bytes
}

/// Writes `value` with member number `at` of it, in the order written, followed or preceded by another of its name.
fn with_repeated(value: &Value, at: usize, other: &str, first: bool) -> String {
    fn write(value: &Value, left: &mut usize, other: &str, first: bool, out: &mut String) {
        match value {
            Value::Object(members) => {
                out.push('{');
                let mut comma = "";
                for (name, member) in members {
                    let is_it = *left == 0;
                    *left = left.wrapping_sub(1);
                    let again = format!("{}:{other}", Value::from(name.as_str()));
                    if is_it && first {
                        out.push_str(&format!("{comma}{again}"));
                        comma = ",";
                    }
                    out.push_str(&format!("{comma}{}:", Value::from(name.as_str())));
                    comma = ",";
                    write(member, left, other, first, out);
                    if is_it && !first {
                        out.push_str(&format!(",{again}"));
                    }
                }
                out.push('}');
            }
            Value::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    write(item, left, other, first, out);
                }
                out.push(']');
            }
            _ => out.push_str(&value.to_string()),
        }
    }
    let mut out = String::new();
    let mut left = at;
    write(value, &mut left, other, first, &mut out);
    out
}

fn members(value: &Value) -> usize {
    match value {
        Value::Object(object) => object.len() + object.values().map(members).sum::<usize>(),
        Value::Array(items) => items.iter().map(members).sum(),
        _ => 0,
    }
}

#[test]
fn the_order_of_members_means_nothing() {
    for mut answer in all() {
        let Ok(value) = serde_json::from_slice::<Value>(&answer.body) else {
            continue;
        };
        let told = answer.read();
        // This sorts them by name.
        answer.body = value.to_string().into_bytes();
        assert_eq!(answer.read(), told, "{}", answer.case);
    }
}

proptest! {
    #[test]
    fn what_is_edited_never_panics_nor_answers_another_number(mut answer in read(), edits in edits()) {
        answer.body = edited(&answer.body, &edits);
        if let Ok(told) = answer.read() {
            prop_assert_eq!(told.len(), answer.asks());
        }
    }

    #[test]
    fn what_refuses_all_grants_nothing_however_edited(mut answer in refusing(), edits in edits()) {
        answer.body = edited(&answer.body, &edits);
        prop_assert_eq!(answer.grants(), 0);
    }

    #[test]
    fn what_refuses_all_grants_nothing_under_another_status(
        mut answer in refusing_in_body(),
        status in prop_oneof![Just(200), Just(429), any::<u16>()],
    ) {
        answer.status = Some(status);
        prop_assert_eq!(answer.grants(), 0);
    }

    #[test]
    fn what_is_cut_grants_nothing(mut answer in read(), end in any::<Index>()) {
        let whole = answer.body.trim_ascii_end().len();
        answer.body.truncate(end.index(whole));
        prop_assert_eq!(answer.read(), Err(Fault::Body));
    }

    #[test]
    fn the_order_of_answers_moves_grants_and_makes_none(answer in read(), from in any::<Index>(), to in any::<Index>()) {
        let mut value: Value = serde_json::from_slice(&answer.body).unwrap();
        for name in ["statuses", "responses"] {
            if let Some(items) = value.get_mut(name).and_then(Value::as_array_mut).filter(|items| !items.is_empty()) {
                let [from, to] = [from, to].map(|place| place.index(items.len()));
                items.swap(from, to);
            }
        }
        let moved = Exchange { body: value.to_string().into_bytes(), ..answer.clone() };
        prop_assert_eq!(moved.grants(), answer.grants());
    }

    #[test]
    fn a_member_that_is_said_twice_is_not_believed(
        mut answer in read_in_body(),
        at in any::<Index>(),
        other in select(vec!["\"OK\"", "\"UNDER_LIMIT\"", "\"\"", "4294967295", "null", "{}", "[]"]),
        first in any::<bool>(),
    ) {
        let told = answer.read();
        let value: Value = serde_json::from_slice(&answer.body).unwrap();
        answer.body = with_repeated(&value, at.index(members(&value)), other, first).into_bytes();
        let read = answer.read();
        // It may be one that nobody reads.
        prop_assert!(read == Err(Fault::Body) || read == told, "{:?}", read);
    }

    #[test]
    fn headers_that_are_edited_make_no_grant(mut answer in refusing(), at in any::<Index>(), edits in edits(), twice in any::<bool>()) {
        let (name, value) = answer.headers[at.index(answer.headers.len())].clone();
        let value = String::from_utf8_lossy(&edited(value.as_bytes(), &edits)).into_owned();
        if !twice {
            answer.headers.retain(|(other, _)| *other != name);
        }
        answer.headers.push((name, value));
        prop_assert_eq!(answer.grants(), 0);
    }
}
