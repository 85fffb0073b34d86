//! What is asked, held against the recorded request that means the same.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};

use serde_json::{Map, Value, json};
use weir::global::wire::{Ask, Descriptor, Engine};
use weir::local::calendar::Span;
use weir::local::gcra::Bucket;
use weir::local::limit::{Algorithm, Limit};
use weir::local::window::Window;
use weir::units::Nanos;

use super::recorded::{ENGINES, Exchange, exchanges};

/// An ask that owns what it asks for.
struct Asked {
    descriptor: Descriptor,
    hits: u32,
    limit: Limit,
}

#[test]
fn envoy_ratelimit_is_asked_as_it_was() {
    let (engine, name) = ENGINES[0];
    let mut held = 0;
    for exchange in exchanges(engine, name) {
        let Some(recorded) = exchange.asked().filter(|_| exchange.path == "/json") else {
            continue;
        };
        let descriptors = recorded["descriptors"].as_array().cloned();
        let Some(expected) = descriptors
            .unwrap_or_default()
            .iter()
            .map(|descriptor| status_asked(descriptor, &recorded["hitsAddend"]))
            .collect::<Option<Vec<Value>>>()
            .filter(|asked| !asked.is_empty())
        else {
            continue;
        };
        let asks: Vec<_> = expected.iter().map(of_descriptor).collect();
        let domain = recorded["domain"].as_str().unwrap();
        let expected = json!({"domain": domain, "descriptors": expected});
        assert_eq!(
            body(&exchange, domain, &asks),
            expected,
            "{}",
            exchange.case
        );
        held += 1;
    }
    assert_eq!(held, 30);
}

/// A recorded descriptor with the hits that it stands for; none where it says what is never asked.
fn status_asked(descriptor: &Value, request_hits: &Value) -> Option<Value> {
    let known = ["entries", "hitsAddend", "hits_addend"];
    let own = descriptor.as_object()?;
    if !own.keys().all(|name| known.contains(&name.as_str())) {
        return None;
    }
    let hits = own.get("hitsAddend").or(own.get("hits_addend"));
    let hits = hits.or(Some(request_hits)).filter(|hits| !hits.is_null());
    let hits = hits.map_or(Some(1), number)?;
    Some(json!({"entries": own["entries"], "hitsAddend": u32::try_from(hits).ok()?}))
}

fn of_descriptor(descriptor: &Value) -> Asked {
    let entries = descriptor["entries"].as_array().unwrap().iter();
    let entries = entries.map(|entry| {
        let text = |name: &str| entry[name].as_str().unwrap();
        (text("key"), text("value"))
    });
    Asked {
        descriptor: of_entries(entries),
        hits: number(&descriptor["hitsAddend"]).unwrap() as u32,
        limit: window(1, Nanos::SECOND),
    }
}

#[test]
fn gubernator_is_asked_as_it_was() {
    let (engine, name) = ENGINES[1];
    let mut held = 0;
    let mut keys: BTreeMap<(String, String), String> = BTreeMap::new();
    for exchange in exchanges(engine, name) {
        let Some(recorded) = exchange.asked().filter(|_| exchange.status == Some(200)) else {
            continue;
        };
        let items = recorded["requests"].as_array().unwrap();
        let Some(items) = items
            .iter()
            .map(|item| item_asked(item.as_object()?))
            .collect::<Option<Vec<_>>>()
            .filter(|items| !items.is_empty())
        else {
            continue;
        };
        let asks: Vec<_> = items.iter().map(|(key, item)| of_item(key, item)).collect();
        let name = items[0].1["name"].as_str().unwrap();
        let mut body = body(&exchange, name, &asks);
        let asked = body["requests"].as_array_mut().unwrap();
        for (asked, (key, expected)) in asked.iter_mut().zip(&items) {
            let own = asked.as_object_mut().unwrap().remove("unique_key").unwrap();
            assert_eq!(asked, expected, "{}", exchange.case);
            let joined = format!("{name}_{}", own.as_str().unwrap());
            let first = keys
                .entry((name.to_owned(), key.clone()))
                .or_insert(joined.clone());
            assert_eq!(*first, joined);
        }
        held += 1;
    }
    let mut joined: Vec<_> = keys.values().collect();
    joined.sort();
    joined.dedup();
    // The recorded ones of `a_b`, `c` and of `a`, `b_c` were one.
    assert_eq!(joined.len(), keys.len());
    assert_eq!((held, keys.len()), (45, 24));
}

/// A recorded item's key, and its other members as numbers; none where it says what is never asked.
fn item_asked(item: &Map<String, Value>) -> Option<(String, Value)> {
    let known = [
        "name",
        "unique_key",
        "hits",
        "limit",
        "duration",
        "algorithm",
    ];
    if !item.keys().all(|name| known.contains(&name.as_str())) {
        return None;
    }
    let algorithm = match item.get("algorithm") {
        None => 0,
        Some(name) => u64::from(name.as_str()? == "LEAKY_BUCKET"),
    };
    let [hits, limit, duration] = ["hits", "limit", "duration"].map(|name| number(&item[name]));
    let mut asked = json!({
        "name": item["name"], "hits": hits?, "limit": limit?, "duration": duration?, "algorithm": algorithm,
    });
    if algorithm == 1 {
        // What it takes for a burst that is left out.
        asked["burst"] = json!(limit?);
    }
    Some((item["unique_key"].as_str()?.to_owned(), asked))
}

fn of_item(key: &str, item: &Value) -> Asked {
    let [hits, requests, duration, algorithm] =
        ["hits", "limit", "duration", "algorithm"].map(|name| number(&item[name]).unwrap());
    let per = Nanos(duration * Nanos::MILLISECOND.0);
    let mut limit = window(requests as u32, per);
    if algorithm == 1 {
        let requests = NonZeroU32::new(requests as u32).unwrap();
        limit.algorithm = Algorithm::TokenBucket(Bucket::new(requests, per, requests).unwrap());
    }
    Asked {
        descriptor: of_entries([("key", key)].into_iter()),
        hits: hits as u32,
        limit,
    }
}

#[test]
fn limitador_is_asked_as_it_was() {
    let (engine, name) = ENGINES[2];
    let mut held = 0;
    for exchange in exchanges(engine, name) {
        let Some(recorded) = exchange.asked().filter(|asked| {
            exchange.path == "/check_and_report" && asked["response_headers"] == "DraftVersion03"
        }) else {
            continue;
        };
        let Some(delta) = number(&recorded["delta"]) else {
            continue;
        };
        let values = recorded["values"].as_object().unwrap().iter();
        let values = values.map(|(key, value)| (key.as_str(), value.as_str().unwrap()));
        let ask = Asked {
            descriptor: of_entries(values),
            hits: delta as u32,
            limit: window(1, Nanos::SECOND),
        };
        let namespace = recorded["namespace"].as_str().unwrap();
        assert_eq!(
            body(&exchange, namespace, &[ask]),
            recorded,
            "{}",
            exchange.case
        );
        held += 1;
    }
    assert_eq!(held, 61);
}

/// The body of the call, which goes where the recorded one went.
fn body(exchange: &Exchange, domain: &str, asked: &[Asked]) -> Value {
    let asks = asked.iter().map(|asked| Ask {
        descriptor: &asked.descriptor,
        hits: asked.hits,
        limit: &asked.limit,
    });
    let call = Engine::call(exchange.engine, domain, &asks.collect::<Vec<_>>());
    assert_eq!(call.path, exchange.path);
    serde_json::from_str(&call.body).unwrap()
}

fn of_entries<'a>(entries: impl Iterator<Item = (&'a str, &'a str)>) -> Descriptor {
    let mut descriptor = Descriptor::default();
    for (key, value) in entries {
        descriptor.push(key, value.as_bytes());
    }
    descriptor
}

fn window(requests: u32, per: Nanos) -> Limit {
    let span = Span::Every {
        length: NonZeroU64::new(per.0).unwrap(),
        offset: Nanos(0),
    };
    Limit {
        name: "limit".into(),
        policy: "rule".into(),
        requests,
        per,
        algorithm: Algorithm::Window(Window {
            limit: requests,
            span,
            sliding: false,
        }),
    }
}

/// A number, or a string of digits.
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::String(digits) => digits.parse().ok(),
        _ => value.as_u64(),
    }
}
