//! The clusters of an Envoy, where its bootstrap has all of them.

use weir::config::json::shortened;

use crate::check::diagnostic::Diagnostic;
use crate::check::tree::Here;

/// All clusters that there will be.
#[derive(Clone, Copy)]
pub struct Clusters<'a>(Here<'a>);

/// The most that a message names.
const MAX_NAMED: usize = 8;

impl<'a> Clusters<'a> {
    /// Those of the Envoy that runs a bootstrap; `None` where some may come from elsewhere.
    pub fn of(document: Here<'a>) -> Option<Self> {
        let dynamic = document.member("dynamic_resources");
        let is_told = |name| dynamic.is_some_and(|dynamic| dynamic.member(name).is_some());
        let are_told = is_told("cds_config") || is_told("cds_resources_locator");
        let clusters = document.path(&["static_resources", "clusters"]);
        clusters.filter(|_| !are_told).map(Self)
    }

    /// Warns of what is `written` at `path`, if its `name` is that of no cluster.
    pub fn unknown(self, name: &str, written: Here<'_>, path: &str) -> Option<Diagnostic> {
        if self.names().any(|known| known == name) {
            return None;
        }
        let known = self.names().take(MAX_NAMED);
        let mut known: Vec<_> = known.map(|name| shortened(name, 60)).collect();
        if self.names().count() > MAX_NAMED {
            known.push("…".to_owned());
        }
        let expected = match known.as_slice() {
            [] => "it has none".to_owned(),
            [known] => format!("expected {known}"),
            known => format!("expected one of {}", known.join(", ")),
        };
        let message = format!("{} is no cluster of this Envoy; {expected}", written.node);
        Some(Diagnostic::warning(written.at(), path, &message))
    }

    fn names(self) -> impl Iterator<Item = &'a str> {
        let clusters = self.0.items();
        clusters.filter_map(|cluster| cluster.text_at(&["name"]))
    }
}
