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
        let mut places = self.places.iter();
        let elsewhere = places.find(|(_, fields)| fields.contains(&name));
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
        match elsewhere {
            Some((place, _)) => format!("there is one in {place}"),
            None => format!("expected {}{}", alternatives(self.names), self.besides),
        }
    }
}

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
