//! What there is to say of a file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use weir::config::check::check;
use weir::config::json::Node;
use weir::config::{EMPTY, NOT_TEXT};
use weir::global::caller::is_address;
use weir::plan::Plan;

use super::carrier::{Found, Plugin, Written, find};
use super::diagnostic::Diagnostic;
use super::embedded::offsets;
use super::json;
use super::tree::{Here, Spot, Tree, Unreadable};
use super::{unwise, yaml};

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
            Found::Carrier(found) => plugins.extend(found),
            Found::Itself => {
                configurations += 1;
                let whole = document.whole();
                configuration(whole, &Plugin::alone(whole), &mut said);
            }
        }
    }
    let any_named = plugins.iter().any(|plugin| plugin.is_named);
    plugins.retain(|plugin| plugin.is_named || !any_named);
    if plugins.is_empty() && configurations == 0 {
        said.push(Diagnostic::error(
            0,
            "",
            "there is no configuration of Weir in it",
        ));
    }
    for plugin in &plugins {
        carried(plugin, text, &mut said);
    }
    said.sort_by_key(|diagnostic| diagnostic.at);
    said
}

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

/// Judges what a plugin carries, and how.
fn carried(plugin: &Plugin<'_>, text: &str, said: &mut Vec<Diagnostic>) {
    for (at, message) in &plugin.advice {
        said.push(Diagnostic::warning(*at, "", message));
    }
    match plugin.written {
        Written::Values(here) => configuration(here, plugin, said),
        Written::Text(here) => match here.text() {
            Some(value) => {
                let offsets = offsets(text, &here.spot.value, value);
                embedded(value, &offsets, plugin, said);
            }
            None => said.push(Diagnostic::error(here.at(), "", "a StringValue holds text")),
        },
        Written::Base64(here) => {
            let value = here.text().and_then(|text| STANDARD.decode(text).ok());
            match value.map(String::from_utf8) {
                Some(Ok(value)) => {
                    let offsets = vec![here.at(); value.len() + 1];
                    embedded(&value, &offsets, plugin, said);
                }
                _ => said.push(Diagnostic::error(
                    here.at(),
                    "",
                    "a BytesValue holds text in base64",
                )),
            }
        }
        Written::Absent => said.push(Diagnostic::error(plugin.at, "", EMPTY)),
        Written::Message(here) => said.push(Diagnostic::error(here.at(), "", NOT_TEXT)),
    }
}

/// Judges a document that is the text of a string; `offsets` are those of its bytes in the file.
fn embedded(text: &str, offsets: &[usize], plugin: &Plugin<'_>, said: &mut Vec<Diagnostic>) {
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
            configuration(document.whole(), plugin, said);
        }
        Err(Unreadable { at, reason }) => {
            let at = at.map(to_file);
            said.push(refusal(&Unreadable { at, reason }, plugin.at));
        }
    }
}

fn refusal(unreadable: &Unreadable, whole: usize) -> Diagnostic {
    Diagnostic::error(unreadable.at.unwrap_or(whole), "", &unreadable.reason)
}

/// Judges a configuration, by what is known of the plugin that it is for.
fn configuration(here: Here<'_>, plugin: &Plugin<'_>, said: &mut Vec<Diagnostic>) {
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
    if let Some(plan) = &judgement.plan {
        unwise::warnings(plan, here, plugin.manager, said);
        let is_guessed = |path| {
            judgement
                .assumed
                .iter()
                .any(|finding| finding.path() == path)
        };
        if plugin.is_on_kong && !is_guessed(CLUSTER) {
            address(plan, here, said);
        }
    }
}

const CLUSTER: &str = "limiter.cluster";

/// Refuses a service that Kong's host cannot call: the module would leave it alone, and `on_error` decide.
fn address(plan: &Plan, here: Here<'_>, said: &mut Vec<Diagnostic>) {
    let Some(service) = &plan.service else { return };
    if is_address(&service.cluster) {
        return;
    }
    let cluster = here.path(&["limiter", "cluster"]).unwrap_or(here);
    let message = "is no address; expected host:port, as Kong calls it";
    said.push(Diagnostic::error(cluster.at(), CLUSTER, message));
}
