//! When an incident is worth a line: the first of its kind at once, those after it once a minute.

use super::incident::Incident;
use crate::units::{Instant, Nanos};

/// How long a kind of incident stays without another line.
const BETWEEN_LINES: Nanos = Nanos(60 * Nanos::SECOND.0);

/// What the log knows already.
#[derive(Debug, Default)]
pub struct IncidentLines {
    /// At most one for each kind, or for each kind and rule.
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    kind: (u32, usize),
    /// Whether only another configuration ends it.
    is_of_configuration: bool,
    /// When its last line was written.
    since: Instant,
    /// Incidents without a line since then.
    left_out: u64,
}

impl IncidentLines {
    /// The log knows nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { known: Vec::new() }
    }

    /// Forgets what a configuration brought about: another has begun.
    pub fn reconfigured(&mut self) {
        self.known.retain(|known| !known.is_of_configuration);
    }

    /// The line about an incident at `now`, if it is due: of what a fault causes once a minute, of what a configuration
    /// causes once.
    #[must_use]
    pub fn line(&mut self, incident: Incident<'_>, now: Instant) -> Option<String> {
        let kind = incident.kind();
        let is_of_configuration = incident.is_of_configuration();
        let mut known = self.known.iter_mut();
        let left_out = match known.find(|known| known.kind == kind) {
            None => {
                self.known.push(Known {
                    kind,
                    is_of_configuration,
                    since: now,
                    left_out: 0,
                });
                0
            }
            Some(known) if is_of_configuration || now.since(known.since) < BETWEEN_LINES => {
                known.left_out = known.left_out.saturating_add(1);
                return None;
            }
            Some(known) => {
                known.since = now;
                std::mem::take(&mut known.left_out)
            }
        };
        let (what, details) = (incident.what(), incident.details());
        let details = details.map_or_else(String::new, |details| format!(" ({details})"));
        let often = match (is_of_configuration, left_out) {
            (true, _) => "each worker logs this once for a configuration".into(),
            (false, 0) => "each worker logs this once a minute".into(),
            (false, left_out) => format!("{left_out} more since the last such line"),
        };
        Some(format!("weir: {what}{details}; {often}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Unreadable;
    use crate::global::parking::Question;
    use crate::global::wire;
    use crate::local::store::Fault;
    use crate::reply::tests::plan;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const BEGIN: Instant = Instant(5 * Nanos::SECOND.0);

    #[test]
    fn a_fault_gets_a_line_a_minute_that_counts_those_without() {
        let mut lines = IncidentLines::new();
        let fault = |status| Incident::Store(Fault::Host(status));
        assert_eq!(
            lines.line(fault(12), BEGIN).unwrap(),
            "weir: the shared data cannot be used (status 12); each worker logs this once a minute"
        );
        let minute = BEGIN.plus(BETWEEN_LINES);
        for status in [12, 5] {
            let almost = Instant(minute.0 - 1);
            assert_eq!(lines.line(fault(status), almost), None);
        }
        assert_eq!(
            lines.line(fault(5), minute).unwrap(),
            "weir: the shared data cannot be used (status 5); 2 more since the last such line"
        );
        assert_eq!(lines.line(fault(5), minute), None);
        // A week later nobody remembers the line.
        let later = minute.plus(Nanos(7 * Nanos::DAY.0));
        assert!(lines.line(fault(5), later).is_some());
        // A clock that runs backwards hides nothing for longer than it ran back.
        assert_eq!(lines.line(fault(5), BEGIN), None);
        assert!(lines.line(fault(5), later.plus(BETWEEN_LINES)).is_some());
    }

    #[test]
    fn each_kind_has_lines_of_its_own() {
        let mut lines = IncidentLines::new();
        for incident in [
            Incident::Store(Fault::Host(1)),
            Incident::Store(Fault::Foreign),
            Incident::Corrupt,
            Incident::Clock,
            Incident::Reply,
            Incident::Metric,
            Incident::Facts(Unreadable(2)),
            Incident::Service(wire::Fault::Timeout, "limits"),
            Incident::Service(wire::Fault::Unreachable, "limits"),
            Incident::Service(wire::Fault::Status(500), "limits"),
            Incident::Service(wire::Fault::Body, "limits"),
            Incident::Service(wire::Fault::Count, "limits"),
            Incident::Service(wire::Fault::Item, "limits"),
            Incident::NoCluster("limits"),
            Incident::NoGlobalRule,
            Incident::NoWaiting,
            Incident::Upstream,
        ] {
            assert!(lines.line(incident, BEGIN).is_some(), "{incident:?}");
            assert!(lines.line(incident, BEGIN).is_none(), "{incident:?}");
        }
    }

    #[test]
    fn what_a_configuration_causes_is_logged_once_for_it_and_each_rule() {
        let mut lines = IncidentLines::new();
        let plan = plan();
        let of_rule = |rule| Question {
            rule,
            ..Question::default()
        };
        for rule in 0..2 {
            let question = of_rule(rule);
            let incident = Incident::Unmatched(&plan, &question);
            assert!(lines.line(incident, BEGIN).is_some());
            let later = BEGIN.plus(Nanos(Nanos::DAY.0));
            assert!(lines.line(incident, later).is_none());
        }
        lines.reconfigured();
        let question = of_rule(0);
        let line = lines.line(Incident::Unmatched(&plan, &question), BEGIN);
        assert!(line.unwrap().ends_with("once for a configuration"));
    }
}
