//! Members of a carrier that are there more than once.

use std::collections::HashSet;

use weir::config::json::shortened;

use super::carrier::{Plugin, Written};
use super::diagnostic::Diagnostic;
use super::tree::Here;

/// Adds which members repeat one of their object, in all of a document that carries these plugins. YAML 1.2.2 §3.2.1.1
/// has no such objects; hosts that read them go on with the last member, and this command with the first.
pub fn errors(document: Here<'_>, plugins: &[Plugin<'_>], said: &mut Vec<Diagnostic>) {
    let configurations = plugins.iter().filter_map(|plugin| match plugin.written {
        Written::Values(here) => Some(here.at()),
        _ => None,
    });
    walk(document, &configurations.collect(), said);
}

/// `configurations` are where those stand of which is told with paths what is repeated in them.
fn walk(here: Here<'_>, configurations: &HashSet<usize>, said: &mut Vec<Diagnostic>) {
    let mut names = HashSet::new();
    for (name, member) in here.members() {
        // What YAML 1.1 merges into an object may be several.
        if name != "<<" && !names.insert(name) {
            let name = shortened(name, 60);
            let message = format!(
                "{name} is there more than once: hosts take the last, or refuse the file; expected one"
            );
            said.push(Diagnostic::error(member.at(), "", &message));
        }
    }
    let members = here.members().map(|(_, member)| member);
    for part in members.chain(here.items()) {
        if !configurations.contains(&part.at()) {
            walk(part, configurations, said);
        }
    }
}
