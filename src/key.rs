//! What a request is counted by: the parts of a rule's key, as one keyed fingerprint.

mod credentials;

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

use crate::facts::{Facts, Missing, Source, only, stripped};
use crate::global::wire::Descriptor;
use crate::path;
use crate::plan::{ClientIp, KeyPart, KeySource, OnMissingKey, Plan, Rule};

/// A request's key under one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Its fingerprint; never zero, which marks an empty way of the table.
    Found(u64),
    /// A part is missing, so the rule does not apply.
    Skip,
    /// A part is missing, so the rule refuses.
    Deny,
}

/// Makes fingerprints: SipHash-1-3 under a random key, over the domain, the rule's name, what each part of its key is,
/// and the length and bytes of each value. Clients can neither aim at another's counter nor make two keys collide.
#[derive(Debug)]
pub struct Keyer {
    /// One for each rule, with all written that is the same for every request.
    rules: Vec<SipHasher13>,
}

impl Keyer {
    /// A keyer for the rules of `plan`.
    #[must_use]
    pub fn new(plan: &Plan, seed: &[u8; 16]) -> Self {
        let named = |rule: &Rule| {
            let mut same = Vec::new();
            for name in [&plan.domain, &rule.name] {
                push_value(&mut same, name.as_bytes());
            }
            for part in &rule.key {
                push_source(&mut same, &part.source, &plan.client_ip);
            }
            let mut hasher = SipHasher13::new_with_key(seed);
            write_value(&mut hasher, &same);
            hasher
        };
        Self {
            rules: plan.rules.iter().map(named).collect(),
        }
    }

    /// The key of a request under rule number `index`.
    pub fn key<S: Source>(
        &self,
        index: usize,
        rule: &Rule,
        client_ip: &ClientIp,
        facts: &mut Facts<'_, S>,
    ) -> Key {
        let Some(named) = self.rules.get(index) else {
            return Key::Skip;
        };
        let mut hasher = *named;
        let mut write = |_: &KeyPart, value: &[u8]| write_value(&mut hasher, value);
        if let Err(missing) = parts(rule, client_ip, facts, &mut write) {
            hasher = *named;
            match rule.on_missing(missing) {
                OnMissingKey::Skip => return Key::Skip,
                OnMissingKey::Deny => return Key::Deny,
                OnMissingKey::Shared => hasher.write_u64(KEYLESS),
                OnMissingKey::ClientIp => {
                    let prefixes = [client_ip.v4_prefix, client_ip.v6_prefix];
                    hasher.write_u64(IN_PLACE | u64::from(u16::from_le_bytes(prefixes)));
                    // Without an address either, it is the one counter of those who have neither.
                    if let Some(address) = facts.client_ip(client_ip) {
                        write_value(&mut hasher, octets(address).as_ref());
                    }
                }
            }
        }
        Key::Found(hasher.finish().max(1))
    }
}

/// What a rate limit service is told that a request is counted by under a global rule: the key's parts in order,
/// each with its name; of a rule without parts, and of requests without a key, the rule's name as `generic_key`,
/// with the `remote_address` behind it where that counts in place of the key. `None` where [`Keyer::key`] finds no
/// key.
pub fn descriptor<S: Source>(
    rule: &Rule,
    plan: &Plan,
    facts: &mut Facts<'_, S>,
) -> Option<Descriptor> {
    let client_ip = &plan.client_ip;
    let service = plan.service.as_ref();
    let keys = service.map_or(&[][..], |service| &service.joined_keys);
    let mut descriptor = Descriptor::default();
    let mut write = |part: &KeyPart, value: &[u8]| {
        let name = &part.descriptor_key;
        match (&part.source, address(value)) {
            (KeySource::ClientIp, Some(address)) => {
                descriptor.push(name, address.to_string().as_bytes())
            }
            _ => descriptor.push_apart(name, value, keys),
        }
    };
    let on_missing_key = match parts(rule, client_ip, facts, &mut write) {
        Ok(()) if !rule.key.is_empty() => return Some(descriptor),
        Ok(()) => OnMissingKey::Shared,
        Err(missing) => rule.on_missing(missing),
    };
    let mut keyless = Descriptor::default();
    keyless.push("generic_key", rule.name.as_bytes());
    match on_missing_key {
        OnMissingKey::Skip | OnMissingKey::Deny => return None,
        OnMissingKey::ClientIp => {
            if let Some(address) = facts.client_ip(client_ip) {
                keyless.push("remote_address", address.to_string().as_bytes());
            }
        }
        OnMissingKey::Shared => {}
    }
    Some(keyless)
}

impl Rule {
    /// What it does with a request whose key is missing.
    fn on_missing(&self, missing: Missing) -> OnMissingKey {
        match (self.on_missing_key, missing) {
            // Or a client would leave the rule by sending its credential twice. What a service would be asked
            // instead, it has no limit for.
            (OnMissingKey::Skip, Missing::Repeated) if self.global.is_some() => OnMissingKey::Deny,
            (OnMissingKey::Skip, Missing::Repeated) => OnMissingKey::ClientIp,
            (on_missing_key, _) => on_missing_key,
        }
    }
}

/// The parts of a key as text for people, joined with a blank; `None` when one is missing.
pub fn plain<S: Source>(
    rule: &Rule,
    client_ip: &ClientIp,
    facts: &mut Facts<'_, S>,
) -> Option<String> {
    let mut text = String::new();
    let mut write = |part: &KeyPart, value: &[u8]| {
        if !text.is_empty() {
            text.push(' ');
        }
        match (&part.source, address(value)) {
            (KeySource::ClientIp, Some(address)) => text.push_str(&address.to_string()),
            _ => text.push_str(&String::from_utf8_lossy(value)),
        }
    };
    parts(rule, client_ip, facts, &mut write).ok()?;
    Some(text)
}

/// Hands each part's value to `write`, until one is missing.
fn parts<S: Source>(
    rule: &Rule,
    client_ip: &ClientIp,
    facts: &mut Facts<'_, S>,
    write: &mut dyn FnMut(&KeyPart, &[u8]),
) -> Result<(), Missing> {
    let mut is_resolved = None;
    for part in &rule.key {
        match &part.source {
            KeySource::ClientIp => {
                write(part, octets(there(facts.client_ip(client_ip))?).as_ref());
            }
            KeySource::Method => {
                let method = facts.headers().one(":method")?;
                write(part, &method.to_ascii_uppercase());
            }
            KeySource::Path => write(part, filled(path_of(rule, &mut is_resolved, facts))?),
            KeySource::Host => write(part, &host(facts)?),
            KeySource::Route => write(part, there(facts.route())?),
            KeySource::Header(name) => {
                let value = facts.headers().one(name)?;
                if credentials::are_in(name) {
                    write(part, &credentials::folded(value)?);
                } else {
                    write(part, value);
                }
            }
            KeySource::Cookie(name) => write(part, cookie(facts, name)?),
            KeySource::Query(name) => {
                let query = there(path::query(facts.headers().one(":path")?))?;
                let value = only(path::parameters(query, name.as_bytes()))?;
                write(part, filled(Some(stripped(&path::decoded(value))))?);
            }
            KeySource::PathSegment(index) => {
                let path = there(path_of(rule, &mut is_resolved, facts))?;
                write(part, filled(path::segments(path).nth(*index))?);
            }
            KeySource::PathTemplate(template) => {
                let path = there(path_of(rule, &mut is_resolved, facts))?;
                for capture in there(template.captures(path))? {
                    write(part, capture);
                }
            }
            KeySource::Constant(value) => write(part, value.as_bytes()),
        }
    }
    Ok(())
}

fn there<T>(value: Option<T>) -> Result<T, Missing> {
    value.ok_or(Missing::Absent)
}

fn filled(value: Option<&[u8]>) -> Result<&[u8], Missing> {
    there(value.filter(|value| !value.is_empty()))
}

/// The path as the rule counts it. `is_resolved` is what is known of [`Rule::counts_resolved_path`].
fn path_of<'f, S: Source>(
    rule: &Rule,
    is_resolved: &mut Option<bool>,
    facts: &'f mut Facts<'_, S>,
) -> Option<&'f [u8]> {
    if *is_resolved.get_or_insert_with(|| rule.counts_resolved_path(facts)) {
        facts.normalized_path()
    } else {
        facts.path()
    }
}

/// The host without its port and without a final dot, in lower case.
fn host<S: Source>(facts: &mut Facts<'_, S>) -> Result<Vec<u8>, Missing> {
    // Kong's host keeps the client's own in `host`; on Envoy that header is always folded into `:authority`.
    let headers = facts.headers();
    let written = headers.one("host").or_else(|_| headers.one(":authority"))?;
    let without_port = match written.iter().rposition(|byte| *byte == b':') {
        // In brackets a colon belongs to an IPv6 address.
        Some(colon) if !written.ends_with(b"]") => written.get(..colon).unwrap_or_default(),
        _ => written,
    };
    let host = without_port.strip_suffix(b".").unwrap_or(without_port);
    there((!host.is_empty()).then(|| host.to_ascii_lowercase()))
}

/// The only value of a cookie, without the blanks and the quotes that may stand around it (RFC 6265 §5.2 and
/// §4.1.1): servers take them for the same.
fn cookie<'f, S: Source>(facts: &'f mut Facts<'_, S>, name: &str) -> Result<&'f [u8], Missing> {
    let pairs = facts
        .headers()
        .all("cookie")
        .flat_map(|line| line.split(|byte| *byte == b';'));
    only(pairs.filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (found, value) = pair.split_at_checked(equals)?;
        let value = stripped(value.strip_prefix(b"=")?);
        let unquoted = value
            .strip_prefix(b"\"")
            .and_then(|value| value.strip_suffix(b"\""));
        let value = unquoted.map_or(value, stripped);
        (stripped(found) == name.as_bytes()).then_some(value)
    }))
}

/// In place of the length of a first value, which is never so large: the counter of all requests without the key.
const KEYLESS: u64 = u64::MAX;

/// Likewise, with the prefixes of addresses in it: the address follows, which counts in place of the key.
const IN_PLACE: u64 = u64::MAX << 32;

/// Appends what a part is. The same values of another part, or of a part by another name, are another key.
fn push_source(out: &mut Vec<u8>, source: &KeySource, client_ip: &ClientIp) {
    let (kind, name): (u8, &[u8]) = match source {
        KeySource::ClientIp => (0, &[client_ip.v4_prefix, client_ip.v6_prefix]),
        KeySource::Method => (1, &[]),
        KeySource::Path => (2, &[]),
        KeySource::Host => (3, &[]),
        KeySource::Route => (4, &[]),
        KeySource::Header(name) => (5, name.as_bytes()),
        KeySource::Cookie(name) => (6, name.as_bytes()),
        KeySource::Query(name) => (7, name.as_bytes()),
        KeySource::PathSegment(index) => (8, &index.to_le_bytes()),
        KeySource::PathTemplate(template) => (9, &template.shape()),
        KeySource::Constant(value) => (10, value.as_bytes()),
    };
    out.push(kind);
    push_value(out, name);
}

fn push_value(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(&value.len().to_le_bytes());
    out.extend_from_slice(value);
}

fn write_value(hasher: &mut SipHasher13, value: &[u8]) {
    hasher.write_u64(value.len() as u64);
    hasher.write(value);
}

/// An address as 16 bytes; IPv4 in its IPv6-mapped form, which no client's IPv6 address has here.
fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    Some(IpAddr::from(<[u8; 16]>::try_from(octets).ok()?).to_canonical())
}

#[cfg(test)]
mod tests;
