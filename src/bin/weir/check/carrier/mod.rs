//! Where in other files a configuration of Weir stands.

mod clusters;
mod connection_manager;
mod digest;
mod envoy;
mod fields;
mod kong;
mod kubernetes;
mod message;

use std::collections::HashMap;

use weir::config::check::Variable;
use weir::config::json::{Node, shortened};

use super::diagnostic::Diagnostic;
use super::tree::Here;

pub use self::clusters::Clusters;
pub use self::connection_manager::ConnectionManager;
pub use self::message::is_true;

/// A filter or plugin in a file, and what it says of itself.
pub struct Plugin<'a> {
    /// Whether it goes by the name of Weir.
    pub is_named: bool,
    /// Whether Kong runs it, where a cluster is an address.
    pub is_on_kong: bool,
    /// Whether its proxy merges `//` in paths and resolves dot segments before any filter.
    pub resolves_paths: bool,
    /// Where it stands.
    pub at: usize,
    pub written: Written<'a>,
    pub environment: Environment,
    /// What there is to say of it besides its configuration.
    pub said: Vec<Diagnostic>,
    /// The connection manager of the filter, where that is in the file.
    pub manager: Option<ConnectionManager<'a>>,
    /// The clusters of its proxy that are in the file.
    pub clusters: Option<Clusters<'a>>,
    /// The VM whose counters it shares.
    pub vm_id: &'a str,
    /// Where the chain of filters stands that runs it for every request.
    pub chain: Option<usize>,
}

impl<'a> Plugin<'a> {
    /// One that stands at `here` and goes by these names; nothing else is known of it.
    fn new(here: Here<'_>, names: &[Option<&str>], written: Written<'a>) -> Self {
        let is_ours = |name: &&str| name.to_ascii_lowercase().contains("weir");
        Self {
            is_named: names.iter().flatten().any(is_ours),
            is_on_kong: false,
            resolves_paths: false,
            at: here.at(),
            written,
            environment: Environment::default(),
            said: Vec::new(),
            manager: None,
            clusters: None,
            vm_id: "",
            chain: None,
        }
    }

    /// A configuration that nothing carries.
    pub fn alone(here: Here<'a>) -> Self {
        Self {
            environment: Environment::unknown(),
            ..Self::new(here, &[], Written::Values(here))
        }
    }
}

/// How a plugin's configuration is written.
pub enum Written<'a> {
    /// It has none: the member that carries one is not there.
    Absent(Here<'a>, &'static str),
    /// As the text of a document.
    Text(Here<'a>),
    /// As that text in base64.
    Base64(Here<'a>),
    /// As values.
    Values(Here<'a>),
    /// As a message that is handed on in bytes.
    Message(Here<'a>),
}

/// The environment that a plugin's VM will have.
#[derive(Default)]
pub struct Environment {
    variables: HashMap<String, Variable>,
    /// What hosts refuse in it.
    refused: Vec<Diagnostic>,
    /// Of all others nothing is known.
    is_open: bool,
}

impl Environment {
    /// One of which nothing is known.
    fn unknown() -> Self {
        Self {
            is_open: true,
            ..Self::default()
        }
    }

    pub fn refused(&self) -> &[Diagnostic] {
        &self.refused
    }

    pub fn get(&self, name: &str) -> Variable {
        match self.variables.get(name) {
            Some(variable) => variable.clone(),
            None if self.is_open => Variable::Unknown,
            None => Variable::Unset,
        }
    }

    /// Adds a variable that has its value from where the proxy runs.
    fn add_from_host(&mut self, name: Here<'_>) {
        match name.node {
            Node::String(text) => self.add(text, None, name.at()),
            Node::Null => {}
            _ => self.refuse(name),
        }
    }

    /// Adds a variable; one without a value has it from where the proxy runs, or none that is known.
    fn add(&mut self, name: &str, value: Option<Here<'_>>, at: usize) {
        if let Some(value) = value.filter(|value| !is_read_as_text(value.node)) {
            self.refuse(value);
        }
        let variable = match value.map(|value| value.node) {
            Some(Node::String(text)) => Variable::Set(text.clone()),
            // As it would be in quotes, so that the same is not told twice.
            Some(node @ (Node::Bool(_) | Node::Unsigned(_) | Node::Negative(_))) => {
                Variable::Set(node.to_string())
            }
            _ => Variable::Unknown,
        };
        if self.variables.insert(name.to_owned(), variable).is_some() {
            let name = shortened(name, 60);
            let message =
                format!("the environment variable {name} is there more than once; expected one");
            self.refused.push(Diagnostic::error(at, "", &message));
        }
    }

    fn refuse(&mut self, value: Here<'_>) {
        let message = format!("{} is not allowed; expected text, in quotes", value.node);
        self.refused
            .push(Diagnostic::error(value.at(), "", &message));
    }
}

/// Whether hosts take it for a text, or none: Envoy leaves the floating-point numbers of YAML as they are written.
fn is_read_as_text(node: &Node) -> bool {
    matches!(node, Node::String(_) | Node::Float(_) | Node::Null)
}

/// What a document of a file is.
pub enum Found<'a> {
    /// A configuration alone.
    Itself,
    /// What carries configurations, or could.
    Carrier(Vec<Plugin<'a>>),
}

/// Tells a configuration from what carries one.
pub fn find(document: Here<'_>) -> Found<'_> {
    let has = |name| document.member(name).is_some();
    if has("_format_version") {
        Found::Carrier(kong::plugins(document))
    } else if has("apiVersion") && has("kind") {
        Found::Carrier(kubernetes::plugins(document))
    } else if !has("rules") && envoy::is_in(document) {
        Found::Carrier(envoy::plugins(document))
    } else {
        Found::Itself
    }
}
