//! What a configuration's patterns can cost a request together.

use std::collections::{BTreeMap, BTreeSet};

use weir::plan::{KeyPart, KeySource, OnMissingKey, PathForm, PathPattern, Plan, Rule};
use weir::select::MAX_MATCHED;

use super::Accepted;
use super::live::Effort;
use crate::check::diagnostic::Diagnostic;
use crate::check::tree::Here;

/// The most nanoseconds of a request that go without a warning. The rest of the module takes about 20,000.
const MOST: usize = 500_000;

/// Nanoseconds for each byte of a path and each state of a regular expression that is alive there, and what each byte
/// takes besides, as so many states. Measured in Envoy 1.40.0 with paths of 2,048 bytes: `a{100}b` to `a{800}b` take
/// 22 to 27 ns a state; `^/v[0-9]+/users/[^/]+/orders$`, of which two are alive, 240 µs.
const STATE: usize = 25;
const BESIDES: usize = 3;

/// Picoseconds for each byte of a path and each word of a glob: `/**/x/**` takes 2.65 µs for 2,048 bytes.
const WORD: usize = 1_300;

/// What a rule's patterns can cost.
#[derive(Default)]
struct Burden {
    all: usize,
    /// The most that one of them can cost, and which it is.
    most: usize,
    place: usize,
}

/// Adds a warning where a path can make the patterns cost too much.
pub(super) fn warnings(of: Accepted<'_>, said: &mut Vec<Diagnostic>) {
    let Accepted { plan, here, .. } = of;
    let mut effort = Effort::default();
    let burdens: Vec<_> = plan
        .rules
        .iter()
        .map(|rule| burden(rule, &mut effort))
        .collect();
    let all = by_one_method(plan, &burdens);
    // Of several, the first.
    let from_last = burdens.iter().enumerate().rev();
    let costliest = from_last.max_by_key(|(_, burden)| burden.most);
    if let Some((rule, burden)) = costliest
        && all > MOST
    {
        said.extend(warning(here, rule, burden, all));
    }
}

/// Nanoseconds that the patterns of a rule can take.
fn burden(rule: &Rule, effort: &mut Effort) -> Burden {
    let mut burden = Burden::default();
    // A rule that does nothing is not matched.
    let is_matched = !rule.limits.is_empty() || rule.on_missing_key == OnMissingKey::Deny;
    let matches = rule.matches.iter().filter(|_| is_matched);
    for (place, pattern) in matches.flat_map(|matches| &matches.paths).enumerate() {
        let cost = cost(&pattern.form, effort).saturating_mul(comparisons(rule, pattern));
        burden.all = burden.all.saturating_add(cost);
        if cost > burden.most {
            (burden.most, burden.place) = (cost, place);
        }
    }
    burden
}

/// How often a pattern is compared: with the path as sent; with `normalize` also as resolved, and once more for a key
/// that has the path in it.
fn comparisons(rule: &Rule, pattern: &PathPattern) -> usize {
    let has_path = |part: &KeyPart| {
        matches!(
            part.source,
            KeySource::Path | KeySource::PathSegment(_) | KeySource::PathTemplate(_)
        )
    };
    match pattern.normalize {
        true if rule.key.iter().any(has_path) => 3,
        true => 2,
        false => 1,
    }
}

/// Nanoseconds for the worst path of [`MAX_MATCHED`] bytes.
fn cost(form: &PathForm, effort: &mut Effort) -> usize {
    match form {
        PathForm::Exact(_) | PathForm::Prefix(_) => 0,
        PathForm::Glob(glob) => MAX_MATCHED * glob.words() * WORD / 1_000,
        PathForm::Regex(regex) => {
            let alive = effort.most_alive(regex.as_str(), MAX_MATCHED, BESIDES);
            alive.saturating_mul(STATE)
        }
    }
}

/// The most that the rules for one method can take together: a request has one.
fn by_one_method(plan: &Plan, burdens: &[Burden]) -> usize {
    let (mut any, mut listed) = (0_usize, BTreeMap::<&str, usize>::new());
    for (rule, burden) in plan.rules.iter().zip(burdens) {
        let methods = rule.matches.iter().flat_map(|matches| &matches.methods);
        let methods: BTreeSet<&str> = methods.map(|method| &**method).collect();
        if methods.is_empty() {
            any = any.saturating_add(burden.all);
        }
        for method in methods {
            let sum = listed.entry(method).or_default();
            *sum = sum.saturating_add(burden.all);
        }
    }
    any.saturating_add(listed.into_values().max().unwrap_or(0))
}

/// Said of the costliest pattern.
fn warning(here: Here<'_>, rule: usize, burden: &Burden, all: usize) -> Option<Diagnostic> {
    let rules = here.member("rules")?;
    let written = rules.items().nth(rule)?.path(&["match", "path"])?;
    let listed = written.items().nth(burden.place);
    let mut path = format!("rules[{rule}].match.path");
    if listed.is_some() {
        path += &format!("[{}]", burden.place);
    }
    let pattern = listed.unwrap_or(written);
    let mut forms = pattern.members();
    let (name, form) = forms.find(|(name, form)| *name != "normalize" && form.text().is_some())?;
    let (all, most) = (all / 1_000, burden.most / 1_000);
    let advice = match name {
        "regex" => {
            "write it as an \"exact\" path, a \"prefix\" or a \"glob\", or begin it with ^ and repeat less"
        }
        _ => "have fewer",
    };
    let message = format!(
        "on a path of {MAX_MATCHED} bytes the patterns together can take {all} µs of a request, this one {most}; {advice}"
    );
    Some(Diagnostic::warning(
        form.at(),
        &format!("{path}.{name}"),
        &message,
    ))
}
