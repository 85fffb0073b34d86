//! What there is to say of a file.

use std::collections::HashSet;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use weir::config::NOT_TEXT;
use weir::config::check::{Finding, check, nearest};
use weir::config::json::{Node, shortened};
use weir::global::caller::is_address;
use weir::plan::Plan;

use super::carrier::{Found, Plugin, Written, find};
use super::diagnostic::Diagnostic;
use super::embedded::offsets;
use super::json;
use super::tree::{Here, Spot, Tree, Unreadable};
use super::{dialect, lint, repeated, twice, yaml};

/// Everything that there is to say of a file's text, in its order.
pub fn file(name: &str, text: &str) -> Vec<Diagnostic> {
    let documents = match documents(name, text) {
        Ok(documents) => documents,
        Err(unreadable) => return vec![refusal(&unreadable, 0)],
    };
    let mut said = Vec::new();
    let mut plugins = Vec::new();
    let mut configurations = 0;
    for document in documents
        .iter()
        .filter(|document| !is_blank(document, &documents))
    {
        match find(document.whole()) {
            Found::Carrier(found) => {
                if !found.is_empty() {
                    repeated::errors(document.whole(), &found, &mut said);
                }
                plugins.extend(found);
            }
            Found::Itself => {
                configurations += 1;
                let whole = document.whole();
                dialect::warnings(whole, text, &mut said);
                configuration(whole, &Plugin::alone(whole), &mut said);
            }
        }
    }
    let any_named = plugins.iter().any(|plugin| plugin.is_named);
    plugins.retain(|plugin| plugin.is_named || !any_named);
    if plugins.is_empty() && configurations == 0 {
        said.push(Diagnostic::error(0, "", NOTHING));
    }
    let judged = plugins.iter().map(|plugin| {
        let plan = carried(plugin, text, &mut said);
        (plugin, plan)
    });
    let judged: Vec<_> = judged.collect();
    twice::warnings(&judged, &mut said);
    // What several aliases stand for is told once.
    let mut told = HashSet::new();
    said.retain(|diagnostic| told.insert(diagnostic.clone()));
    said.sort_by_key(|diagnostic| diagnostic.at);
    said
}

const NOTHING: &str = "no configuration of Weir in it; expected a document with \"rules\", or a Wasm filter, \
                       a WasmPlugin, an EnvoyExtensionPolicy or filter_chains that carry one";

/// Reads a file: as JSON what says that it is, or looks so; else as YAML, which may hold several documents.
fn documents(name: &str, text: &str) -> Result<Vec<Tree>, Unreadable> {
    let ends_in = |end: &str| name.to_ascii_lowercase().ends_with(end);
    let is_yaml = ends_in(".yaml") || ends_in(".yml");
    let is_json = ends_in(".json") || (!is_yaml && text.trim_ascii_start().starts_with(['{', '[']));
    if is_json || text.trim_ascii().is_empty() {
        return json::read(text).map(|document| vec![document]);
    }
    yaml::read(text)
}

/// Whether nothing stands between two `---`, as templates leave it.
fn is_blank(document: &Tree, all: &[Tree]) -> bool {
    document.node == Node::Null && all.len() > 1
}

/// Judges what a plugin carries, and how; tells what it will run, where that is known.
fn carried(plugin: &Plugin<'_>, text: &str, said: &mut Vec<Diagnostic>) -> Option<Plan> {
    said.extend(plugin.said.iter().cloned());
    said.extend(plugin.environment.refused().iter().cloned());
    let mut wrong = |at, message: &str| said.push(Diagnostic::error(at, "", message));
    match plugin.written {
        Written::Values(here) => {
            dialect::warnings(here, text, said);
            return configuration(here, plugin, said);
        }
        Written::Text(here) => match here.text() {
            Some(value) => {
                let offsets = offsets(text, &here.spot.value, value);
                let form = match plugin.is_on_kong {
                    true => "as text, \"config\" is JSON",
                    false => "the text of a StringValue is JSON",
                };
                return embedded(value, &offsets, form, plugin, said);
            }
            None => {
                let found = here.node;
                let expected = "expected JSON as text; put it below \"value: |\"";
                wrong(here.at(), &format!("{found} is not allowed; {expected}"));
            }
        },
        Written::Base64(here) => {
            let value = here.text().and_then(bytes);
            match value.map(String::from_utf8) {
                Some(Ok(value)) => {
                    let offsets = vec![here.at(); value.len() + 1];
                    let form = "the text of a BytesValue is JSON";
                    return embedded(&value, &offsets, form, plugin, said);
                }
                _ => wrong(
                    here.at(),
                    "not base64 of UTF-8 text; a BytesValue holds that",
                ),
            }
        }
        Written::Absent(from, name) => said.push(absent(from, name)),
        Written::Message(here) => wrong(here.at(), NOT_TEXT),
    }
    None
}

/// Reads base64 as protobuf's JSON does: of either alphabet, with all of its padding or none, whatever its last bits.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let padding = match text.ends_with('=') {
        true => DecodePaddingMode::RequireCanonical,
        false => DecodePaddingMode::RequireNone,
    };
    let form = GeneralPurposeConfig::new()
        .with_decode_padding_mode(padding)
        .with_decode_allow_trailing_bits(true);
    let text = text.replace('-', "+").replace('_', "/");
    let engine = GeneralPurpose::new(&alphabet::STANDARD, form);
    engine.decode(text).ok()
}

/// Says which member should have carried a configuration, or which one was probably meant to.
fn absent(from: Here<'_>, name: &str) -> Diagnostic {
    let mut members = from.members();
    let is_meant = |other: &str| nearest(other, &[name]).is_some();
    match members.find(|(other, _)| is_meant(other)) {
        Some((other, member)) => {
            let other = shortened(other, 60);
            let message = format!("unknown field {other}; did you mean \"{name}\"?");
            Diagnostic::error(member.at(), "", &message)
        }
        None => {
            let message =
                format!("no \"{name}\"; expected one that carries an object with \"rules\"");
            Diagnostic::error(from.at(), "", &message)
        }
    }
}

/// Judges a document that is the text of a string, and says of what begins otherwise than one what `form` it has;
/// `offsets` are those of its bytes in the file.
fn embedded(
    text: &str,
    offsets: &[usize],
    form: &str,
    plugin: &Plugin<'_>,
    said: &mut Vec<Diagnostic>,
) -> Option<Plan> {
    let to_file = |at: usize| {
        offsets
            .get(at)
            .or(offsets.last())
            .copied()
            .unwrap_or(plugin.at)
    };
    match json::read(text) {
        Ok(mut document) => {
            document.spot.shift(&to_file);
            configuration(document.whole(), plugin, said)
        }
        Err(Unreadable { at, mut reason }) => {
            if at.is_some() && !text.trim_start().starts_with('{') {
                reason = format!("{reason}; {form}");
            }
            let at = at.map(to_file);
            said.push(refusal(&Unreadable { at, reason }, plugin.at));
            None
        }
    }
}

fn refusal(unreadable: &Unreadable, whole: usize) -> Diagnostic {
    Diagnostic::error(unreadable.at.unwrap_or(whole), "", &unreadable.reason)
}

/// Judges a configuration, by what is known of the plugin that it is for; tells what that will run.
fn configuration(here: Here<'_>, plugin: &Plugin<'_>, said: &mut Vec<Diagnostic>) -> Option<Plan> {
    let judgement = check(here.node, &|name| plugin.environment.get(name));
    for finding in &judgement.errors {
        let at = here.offset(&finding.place);
        said.push(Diagnostic::error(at, finding.path(), finding.message()));
    }
    if judgement.untold > 0 {
        let Spot { value, .. } = here.spot;
        let message = format!("… and {} more", judgement.untold);
        said.push(Diagnostic::error(value.end, "", &message));
    }
    for finding in &judgement.assumed {
        let at = here.offset(&finding.place);
        said.push(Diagnostic::warning(at, finding.path(), finding.message()));
    }
    let is_refused = |finding: &Finding| finding.path().starts_with(CLUSTER);
    if plugin.is_on_kong && !judgement.errors.iter().any(is_refused) {
        said.extend(address(here));
    }
    let plan = judgement.plan?;
    lint::warnings(&plan, here, plugin, said);
    Some(plan)
}

const CLUSTER: &str = "limiter.cluster";

/// Refuses a service that Kong's host cannot call: the module would leave it alone, and `on_error` decide. What a
/// variable stands for is not known in a file of Kong; its default is.
fn address(here: Here<'_>) -> Option<Diagnostic> {
    let cluster = here.path(&["limiter", "cluster"])?;
    let cluster = cluster.member("default").unwrap_or(cluster);
    let is_none = cluster.text().is_some_and(|text| !is_address(text));
    let message = || {
        format!(
            "{} is not allowed; expected host:port or unix:/path, as Kong calls it",
            cluster.node
        )
    };
    is_none.then(|| Diagnostic::error(cluster.at(), CLUSTER, &message()))
}
