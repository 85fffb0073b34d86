//! What was probably meant by a name that is not known.

use super::json::quote;

/// Objects, as a message names them, each with the fields that it may have.
pub(super) type Places = &'static [(&'static str, &'static [&'static str])];

/// What could stand where an unknown name stands.
pub(super) struct Known<'a> {
    pub names: &'a [&'a str],
    /// What may be written there that is no name, as it stands after the names.
    pub besides: &'a str,
    /// Where the name is known instead.
    pub places: Places,
}

impl Known<'_> {
    /// What was probably meant by `name`, or all that could be.
    pub fn hint(&self, name: &str) -> String {
        let elsewhere = self.elsewhere(name);
        // A name that is known elsewhere is here a slip of one letter at most: "keys" for "key", not "limits" for
        // "limiter".
        let is_meant = |near: &&str| elsewhere.is_none() || strsim::osa_distance(name, near) == 1;
        if let Some(near) = nearest(name, self.names).filter(is_meant) {
            return format!("did you mean {}?", quote(near));
        }
        if let Some((outer, inner)) = name.split_once('.')
            && self.names.contains(&outer)
        {
            return format!("did you mean {}: {{{}: …}}?", quote(outer), quote(inner));
        }
        if let Some(place) = elsewhere {
            return format!("there is one in {place}");
        }
        let mut others = FOREIGN.iter();
        match others.find(|(words, ..)| words.contains(&name)) {
            Some((_, field, example)) => self.translation(field, example),
            None => format!("expected {}{}", alternatives(self.names), self.besides),
        }
    }

    /// What a word of another limiter is here, and where, unless the example shows it.
    fn translation(&self, field: &str, example: &str) -> String {
        let is_placed = !example.is_empty() || self.names.contains(&field);
        let place = self.elsewhere(field).filter(|_| !is_placed);
        let (begin, place) = place.map_or(("", ""), |place| (", in ", place));
        ["it is ", &quote(field), " here", begin, place, example].concat()
    }

    /// Where a name is known instead.
    fn elsewhere(&self, name: &str) -> Option<&'static str> {
        let mut places = self.places.iter();
        let found = places.find(|(_, fields)| fields.contains(&name));
        found.map(|(place, _)| *place)
    }
}

/// Words of other limiters (Envoy, envoyproxy/ratelimit, Kong, nginx, Traefik, APISIX), each with the field that means it
/// here, and an example where the value has another form. `docs/migrating.md` translates whole configurations.
const FOREIGN: &[(&[&str], &str, &str)] = &[
    (
        &["requests_per_unit", "tokens_per_fill", "average", "count"],
        "requests",
        "",
    ),
    (
        &[
            "unit",
            "fill_interval",
            "period",
            "time_window",
            "window_size",
        ],
        "per",
        ", as in \"1m\"",
    ),
    (&["max_tokens"], "burst", ""),
    (
        &["rate"],
        "requests",
        ", with \"per\": {\"requests\": 10, \"per\": \"1s\"}",
    ),
    (
        &["nodelay"],
        "burst",
        ": what is beyond it is refused, not delayed",
    ),
    (
        &[
            "second",
            "minute",
            "hour",
            "day",
            "rate_limit",
            "token_bucket",
        ],
        "limits",
        ": [{\"requests\": 5, \"per\": \"1m\"}]",
    ),
    (
        &["limit_by", "key_type", "sourceCriterion"],
        "key",
        ": [\"client_ip\"]",
    ),
    (
        &["remote_address", "remote_addr", "ip"],
        "client_ip",
        ", as in \"key\": [\"client_ip\"]",
    ),
    (&["descriptors"], "rules", ", with \"key\" and \"limits\""),
    (&["rejected_code", "error_code"], "status", ""),
];

/// The known name that is nearest to `name`, in whatever case: at most two typing errors away, and those in at most a
/// third of it; else one that begins with it.
#[must_use]
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.len() > MAX_COMPARED {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let distances = known.iter().map(|known| {
        let distance = strsim::osa_distance(&lower, &known.to_ascii_lowercase());
        (distance, *known)
    });
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    if distance <= 2 && distance * 3 <= nearest.len() {
        return Some(nearest);
    }
    let begins = |known: &&&str| name.len() >= MIN_BEGINNING && known.starts_with(name);
    known.iter().find(begins).copied()
}

/// The longest name that is compared with the known ones, which are shorter.
const MAX_COMPARED: usize = 32;

/// The shortest name that may be the beginning of another: "on" could be many.
const MIN_BEGINNING: usize = 3;

/// `"a", "b" or "c"`.
pub(super) fn alternatives(names: &[&str]) -> String {
    let mut out = String::new();
    for (place, name) in names.iter().enumerate() {
        out += match names.len() - place {
            _ if place == 0 => "",
            1 => " or ",
            _ => ", ",
        };
        out += &quote(name);
    }
    out
}
