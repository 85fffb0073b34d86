//! The fields of a Wasm filter, and what Envoy refuses in them before the module has a say.

use weir::config::check::nearest;
use weir::config::json::{Node, shortened};

use super::is_read_as_text;
use super::message::{is_duration, is_flag};
use crate::check::diagnostic::Diagnostic;
use crate::check::tree::{Here, is_name};

struct Field {
    name: &'static str,
    holds: Holds,
    need: Need,
}

enum Holds {
    Text,
    Runtime,
    Flag,
    Duration,
    Message(&'static [Field]),
    /// What is judged elsewhere, or by nobody.
    Anything,
}

#[derive(PartialEq, Eq)]
enum Need {
    Optional,
    Required,
    /// Of these a message has one, and no two.
    Either,
}

use Holds::{Anything, Duration, Flag, Message, Runtime, Text};

const fn field(name: &'static str, holds: Holds) -> Field {
    let need = Need::Optional;
    Field { name, holds, need }
}

const fn required(name: &'static str, holds: Holds) -> Field {
    let need = Need::Required;
    Field { name, holds, need }
}

const fn either(name: &'static str, holds: Holds) -> Field {
    let need = Need::Either;
    Field { name, holds, need }
}

/// Those of Envoy 1.36 to 1.40. A VM or code that is missing may be in what a patch is merged into.
const WASM: &[Field] = &[field("config", Message(PLUGIN))];

const PLUGIN: &[Field] = &[
    field("name", Text),
    field("root_id", Text),
    field("vm_config", Message(VM)),
    field("configuration", Anything),
    field("fail_open", Flag),
    field("failure_policy", Anything),
    field("reload_config", Message(RELOAD)),
    field("capability_restriction_config", Anything),
    field("allow_on_headers_stop_iteration", Flag),
];

const RELOAD: &[Field] = &[field("backoff", Message(BACKOFF))];

const BACKOFF: &[Field] = &[
    required("base_interval", Duration),
    field("max_interval", Duration),
];

const VM: &[Field] = &[
    field("vm_id", Text),
    field("runtime", Runtime),
    field("code", Message(CODE)),
    field("configuration", Anything),
    field("allow_precompiled", Flag),
    field("nack_on_code_cache_miss", Flag),
    field("environment_variables", Message(ENVIRONMENT)),
];

const ENVIRONMENT: &[Field] = &[
    field("host_env_keys", Anything),
    field("key_values", Anything),
];

const CODE: &[Field] = &[
    either("local", Message(LOCAL)),
    either("remote", Message(REMOTE)),
];

const LOCAL: &[Field] = &[
    either("filename", Text),
    either("inline_bytes", Text),
    either("inline_string", Text),
    either("environment_variable", Text),
    field("watched_directory", Anything),
];

const REMOTE: &[Field] = &[
    required("http_uri", Message(URI)),
    field("sha256", Anything),
    field("retry_policy", Anything),
];

const URI: &[Field] = &[
    required("uri", Text),
    required("cluster", Text),
    required("timeout", Duration),
];

/// Adds what Envoy refuses in a filter.
pub fn refused(filter: Here<'_>, said: &mut Vec<Diagnostic>) {
    message(filter, WASM, said);
}

fn message(here: Here<'_>, fields: &[Field], said: &mut Vec<Diagnostic>) {
    let before = said.len();
    for (name, member) in here.members() {
        if !fields.iter().any(|field| is_name(name, field.name)) {
            said.extend(unknown(name, member, fields));
        }
    }
    // What is called otherwise may be the one.
    if said.len() == before {
        said.extend(choice(here, fields));
    }
    for field in fields {
        match here.given(field.name) {
            Some(member) => value(member, &field.holds, said),
            None if field.need == Need::Required => {
                let message = format!("there is no \"{}\", which Envoy requires", field.name);
                said.push(Diagnostic::error(here.at(), "", &message));
            }
            None => {}
        }
    }
}

/// Refuses what has none of the fields that exclude each other, or several.
fn choice(here: Here<'_>, fields: &[Field]) -> Option<Diagnostic> {
    let fields = fields.iter().filter(|field| field.need == Need::Either);
    let names: Vec<_> = fields.map(|field| field.name).collect();
    let mut given = names.iter().filter_map(|name| here.given(name));
    let (at, found) = match (given.next(), given.next()) {
        _ if names.is_empty() => return None,
        (None, _) => (here.at(), "none"),
        (Some(_), None) => return None,
        (Some(_), Some(second)) => (second.at(), "more than one"),
    };
    let message = format!("{found} of {}; expected one", names.join(", "));
    Some(Diagnostic::error(at, "", &message))
}

fn value(here: Here<'_>, holds: &Holds, said: &mut Vec<Diagnostic>) {
    let expected = match holds {
        Message(fields) if matches!(here.node, Node::Object(_)) => {
            return message(here, fields, said);
        }
        Text if is_read_as_text(here.node) => return,
        Runtime if here.text().is_some_and(is_runtime) => return,
        Flag if is_flag(here) => return,
        Duration if is_duration(here) => return,
        Anything => return,
        Message(_) => "an object",
        Text => "text, in quotes",
        Runtime => "a name such as envoy.wasm.runtime.v8",
        Flag => "true or false",
        Duration => "seconds, as in \"1.5s\"",
    };
    let message = format!("{} is not allowed; expected {expected}", here.node);
    said.push(Diagnostic::error(here.at(), "", &message));
}

/// Whether an Envoy may have it: which ones it has is decided when it is built. Blank is its default.
fn is_runtime(name: &str) -> bool {
    name.is_empty() || name.starts_with("envoy.wasm.runtime.")
}

/// Refuses a field that no message of its type has. One that is like none of the filter's may be of a newer Envoy.
fn unknown(name: &str, member: Here<'_>, fields: &[Field]) -> Option<Diagnostic> {
    let names: Vec<_> = fields.iter().map(|field| field.name).collect();
    let hint = match nearest(name, &names) {
        Some(known) => format!("did you mean \"{known}\"?"),
        None => format!("expected it in \"{}\"", path(name, WASM)?),
    };
    let message = format!("unknown field {}; {hint}", shortened(name, 60));
    Some(Diagnostic::error(member.at(), "", &message))
}

/// The path of the message that has a field of that name.
fn path(name: &str, fields: &[Field]) -> Option<String> {
    for field in fields {
        let Message(within) = field.holds else {
            continue;
        };
        if within.iter().any(|field| is_name(name, field.name)) {
            return Some(field.name.to_owned());
        }
        if let Some(path) = path(name, within) {
            return Some(format!("{}.{path}", field.name));
        }
    }
    None
}
