//! Messages of Envoy in a file: what type each is of.

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
