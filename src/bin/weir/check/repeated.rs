//! Members of a carrier that are there more than once.

use std::collections::{BTreeMap, HashSet};

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
    let mut repeated = Repeated {
        configurations: configurations.collect(),
        told: BTreeMap::new(),
    };
    repeated.walk(document);
    let errors = repeated.told.into_iter().map(|(at, name)| {
        let name = shortened(name, 60);
        let message = format!(
            "{name} is there more than once: hosts take the last, or refuse the file; expected one"
        );
        Diagnostic::error(at, "", &message)
    });
    said.extend(errors);
}

struct Repeated<'a> {
    /// Where configurations stand, of which is told with paths what is repeated in them.
    configurations: HashSet<usize>,
    /// Names by where they stand: what several aliases stand for is told once.
    told: BTreeMap<usize, &'a str>,
}

impl<'a> Repeated<'a> {
    fn walk(&mut self, here: Here<'a>) {
        let mut names = HashSet::new();
        for (name, member) in here.members() {
            // What YAML 1.1 merges into an object may be several.
            if name != "<<" && !names.insert(name) {
                self.told.insert(member.at(), name);
            }
        }
        let members = here.members().map(|(_, member)| member);
        for part in members.chain(here.items()) {
            if !self.configurations.contains(&part.at()) {
                self.walk(part);
            }
        }
    }
}
