//! Variables that a configuration asks for and its VM is never given: their defaults are all that it ever has.

use weir::config::check::Variable;
use weir::config::json::shortened;

use crate::check::carrier::Environment;
use crate::check::diagnostic::Diagnostic;
use crate::check::tree::Here;

/// Adds which variables have a default and nothing else. `here` is where the configuration stands.
pub fn warnings(here: Here<'_>, environment: &Environment, said: &mut Vec<Diagnostic>) {
    walk(here, "", environment, said);
}

fn walk(here: Here<'_>, path: &str, environment: &Environment, said: &mut Vec<Diagnostic>) {
    if let Some(name) = here.text_at(&["env"])
        && here.member("default").is_some()
        && environment.get(name) == Variable::Unset
    {
        let name = shortened(name, 60);
        let message = format!(
            "the environment variable {name} is not passed on to the module, so it is always the default"
        );
        said.push(Diagnostic::warning(here.at(), path, &message));
        return;
    }
    for (name, member) in here.members() {
        // What is a template of a body is asked for by nobody.
        if name != "body" {
            let separator = if path.is_empty() { "" } else { "." };
            walk(
                member,
                &format!("{path}{separator}{name}"),
                environment,
                said,
            );
        }
    }
    for (place, item) in here.items().enumerate() {
        walk(item, &format!("{path}[{place}]"), environment, said);
    }
}
