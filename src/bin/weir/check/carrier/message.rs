//! Messages of Envoy in a file: what type each is of, and how some of their fields are read.

use weir::config::json::Node;

use crate::check::tree::Here;

/// The type of a Wasm filter.
pub const WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";

/// The name of a type, without the host that it is asked of.
pub fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

/// A message and the name of its type, which may be that of one in a `TypedStruct`.
pub fn typed(here: Here<'_>) -> Option<(&str, Here<'_>)> {
    let of = name(here.text_at(&["@type"])?);
    if of.ends_with(".TypedStruct") {
        return Some((name(here.text_at(&["type_url"])?), here.member("value")?));
    }
    Some((of, here))
}

/// What a Wasm filter says of its plugin.
pub fn config(filter: Here<'_>) -> Here<'_> {
    filter.member("config").unwrap_or(filter)
}

/// Whether Envoy reads it as true: `yes` and `on` are so too, by the YAML that it reads, and the text in quotes.
pub fn is_true(here: Here<'_>) -> bool {
    let here = unwrapped(here);
    *here.node == Node::Bool(true) || is_word(here, &["true", "yes", "on", "y"])
}

/// Whether Envoy reads it as true or as false.
pub fn is_flag(here: Here<'_>) -> bool {
    let given = unwrapped(here);
    let is_false = *given.node == Node::Bool(false) || is_word(given, &["false", "no", "off", "n"]);
    is_false || is_true(here)
}

/// What is in a `BoolValue`, which Envoy also takes as the message that it is.
fn unwrapped(here: Here<'_>) -> Here<'_> {
    here.member("value").unwrap_or(here)
}

fn is_word(here: Here<'_>, words: &[&str]) -> bool {
    let lower = here.text().map(str::to_ascii_lowercase);
    lower.is_some_and(|lower| words.contains(&lower.as_str()))
}

/// Whether it is a duration, which Envoy also takes as the message that it is.
pub fn is_duration(here: Here<'_>) -> bool {
    matches!(here.node, Node::Object(_)) || seconds(here).is_some()
}

/// Whether it is a duration that ends.
pub fn is_time(here: Here<'_>) -> bool {
    let is_some = |part: Here<'_>| part.node.as_unsigned().is_some_and(|number| number > 0);
    let mut parts = ["seconds", "nanos"]
        .iter()
        .filter_map(|name| here.member(name));
    seconds(here).is_some_and(|seconds| seconds > 0.0) || parts.any(is_some)
}

fn seconds(here: Here<'_>) -> Option<f64> {
    here.text()?.strip_suffix('s')?.parse().ok()
}
