//! The clusters of an Envoy that are in its bootstrap.

use weir::config::json::shortened;

use crate::check::diagnostic::Diagnostic;
use crate::check::tree::Here;

/// Clusters of an Envoy.
#[derive(Clone, Copy)]
pub struct Clusters<'a> {
    list: Here<'a>,
    /// Whether there will be no others.
    is_whole: bool,
}

/// The most that a message names.
const MAX_NAMED: usize = 8;

impl<'a> Clusters<'a> {
    /// Those that a bootstrap has.
    pub fn of(document: Here<'a>) -> Option<Self> {
        let dynamic = document.member("dynamic_resources");
        let is_told = |name| dynamic.is_some_and(|dynamic| dynamic.member(name).is_some());
        let list = document.path(&["static_resources", "clusters"])?;
        let is_whole = !is_told("cds_config") && !is_told("cds_resources_locator");
        Some(Self { list, is_whole })
    }

    /// The one of that name.
    pub fn named(self, name: &str) -> Option<Here<'a>> {
        let mut clusters = self.list.items();
        clusters.find(|cluster| cluster.text_at(&["name"]) == Some(name))
    }

    /// Warns of what is `written` at `path`, if its `name` is that of no cluster that there will be.
    pub fn unknown(self, name: &str, written: Here<'_>, path: &str) -> Option<Diagnostic> {
        if !self.is_whole || self.named(name).is_some() {
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
        let clusters = self.list.items();
        clusters.filter_map(|cluster| cluster.text_at(&["name"]))
    }
}
