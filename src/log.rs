//! What the proxy's log gets: one line of JSON for a refusal, at most so many a second, and one line a minute for each
//! kind of fault.

use std::fmt;

use crate::config::json::shortened;
use crate::decision::{Decision, Reason};
use crate::global::breaker::{Change, Reason as Opening};
use crate::global::wire;
use crate::local::allowance::Allowance;
use crate::plan::{LogKeys, Plan};
use crate::reply;
use crate::units::{Instant, Nanos};

mod incident;
mod incident_lines;

pub use incident::Incident;
pub use incident_lines::IncidentLines;

/// The most characters of a plain key that a line shows; with names of 64 bytes and a key that is all escapes
/// a line then stays below 1,200 bytes.
const MAX_KEY: usize = 128;

/// Lets so many lines a second through, and counts the others.
#[derive(Debug)]
pub struct RefusalLines {
    allowance: Allowance,
    suppressed: u64,
}

impl RefusalLines {
    /// At most `per_second` lines a second; none if it is 0.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self {
            allowance: Allowance::new(per_second),
            suppressed: 0,
        }
    }

    /// Whether there may be a line now; if so, how many there might not since the last one.
    #[must_use]
    pub fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.allowance.admit(now) {
            return Some(std::mem::take(&mut self.suppressed));
        }
        self.suppressed = self.suppressed.saturating_add(1);
        None
    }
}

/// The line about a refusal. It is formatted where it is written.
#[derive(Debug)]
pub struct RefusalLine<'a> {
    event: &'static str,
    rule: &'a str,
    limit: Option<&'a str>,
    /// The key, where lines show it as it was sent.
    plain: Option<String>,
    /// The key, where lines show its fingerprint.
    fingerprint: Option<u64>,
    retry_after: Option<u64>,
    suppressed: u64,
}

/// The line about a refusal; `None` where `decision` admits.
///
/// `plain_key` is read only where the plan shows keys as they were sent.
#[must_use]
pub fn refusal_line<'a>(
    plan: &'a Plan,
    decision: &Decision,
    plain_key: Option<&str>,
    suppressed: u64,
) -> Option<RefusalLine<'a>> {
    let refusal = decision.refusal?;
    let rule = plan.rules.get(refusal.rule)?;
    let (event, limit) = match refusal.reason {
        Reason::Limited { limit, .. } => ("rate_limited", rule.limits.get(limit)),
        Reason::Contended => ("contended", None),
        Reason::MissingKey => ("missing_key", None),
        Reason::Unavailable => ("unavailable", None),
    };
    let fingerprint = || {
        let outcome = decision
            .rules
            .iter()
            .find(|outcome| outcome.rule == refusal.rule);
        outcome?.fingerprint
    };
    let (plain, fingerprint) = match plan.log.keys {
        LogKeys::Hashed => (None, fingerprint()),
        LogKeys::Plain => (plain_key.map(|key| shortened(key, MAX_KEY)), None),
        LogKeys::None => (None, None),
    };
    Some(RefusalLine {
        event,
        rule: &rule.name,
        limit: limit.map(|limit| &*limit.name),
        plain,
        fingerprint,
        retry_after: reply::retry_after(refusal.reason),
        suppressed,
    })
}

impl fmt::Display for RefusalLine<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event, rule, .. } = self;
        write!(out, r#"{{"event":"{event}","rule":"{rule}""#)?;
        if let Some(limit) = self.limit {
            write!(out, r#","limit":"{limit}""#)?;
        }
        if let Some(key) = &self.plain {
            write!(out, r#","key":{key}"#)?;
        }
        if let Some(key) = self.fingerprint {
            write!(out, r#","key":"{key:016x}""#)?;
        }
        match self.retry_after {
            Some(seconds) => write!(out, r#","retry_after":{seconds}"#)?,
            None => out.write_str(r#","retry_after":null"#)?,
        }
        write!(out, r#","suppressed":{}}}"#, self.suppressed)
    }
}

/// The line about a change of the breaker; `fault` is what the last call failed with. None where only a probe failed: the
/// service is left alone as before.
#[must_use]
pub fn breaker_line(change: Change, fault: Option<wire::Fault>) -> Option<String> {
    let Change::Opened(reason, open) = change else {
        return Some("weir: the limiter answers again".to_owned());
    };
    let why = match reason {
        Opening::InRow(calls) => format!("{calls} calls in a row failed"),
        Opening::Share(failed, calls) => format!("{failed} of {calls} calls failed"),
        Opening::Probe => return None,
    };
    let last = fault.map_or("unreachable", wire::Fault::kind);
    let millis = open.0 / Nanos::MILLISECOND.0;
    Some(format!(
        "weir: the limiter is left alone, for {millis} ms at first: {why}, the last one for \"{last}\""
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Effect, RuleOutcome};
    use crate::reply::tests::{plan, refused_for};
    use crate::units::{Nanos, Wait};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn limited() -> Decision {
        let wait = Wait::After(Nanos(Nanos::SECOND.0 + 1));
        let mut decision = refused_for(0, Reason::Limited { limit: 0, wait });
        decision.rules.push(RuleOutcome {
            rule: 0,
            fingerprint: Some(0xbeef),
            effect: Effect::Refused,
        });
        decision
    }

    fn line(keys: LogKeys, decision: &Decision, plain_key: Option<&str>) -> String {
        let mut plan = plan();
        plan.log.keys = keys;
        refusal_line(&plan, decision, plain_key, 3)
            .unwrap()
            .to_string()
    }

    #[test]
    fn a_line_says_which_limit_refused_whom() {
        assert_eq!(
            line(LogKeys::Hashed, &limited(), Some("10.0.0.1")),
            r#"{"event":"rate_limited","rule":"per-client","limit":"20-per-1s","key":"000000000000beef","retry_after":2,"suppressed":3}"#
        );
        assert_eq!(
            line(LogKeys::Plain, &limited(), Some("10.0.0.1 GET")),
            r#"{"event":"rate_limited","rule":"per-client","limit":"20-per-1s","key":"10.0.0.1 GET","retry_after":2,"suppressed":3}"#
        );
        assert_eq!(
            line(LogKeys::None, &refused_for(1, Reason::MissingKey), None),
            r#"{"event":"missing_key","rule":"per-user","retry_after":null,"suppressed":3}"#
        );
        assert!(refusal_line(&plan(), &Decision::default(), None, 0).is_none());
    }

    #[test]
    fn a_key_can_neither_break_a_line_nor_stretch_it() {
        let hostile = "\n\u{1}\"}\u{7f}\u{85}\u{9b}\u{2028}\u{2029}".repeat(MAX_KEY);
        let line = line(LogKeys::Plain, &limited(), Some(&hostile));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let key = value.get("key").unwrap().as_str().unwrap();
        assert_eq!(key.chars().count(), MAX_KEY + 1);
        assert!(hostile.starts_with(key.trim_end_matches('…')));
        assert!(line.len() < 1_200, "{line}");
        assert!(
            !line.contains(|c: char| c.is_control() || "\u{2028}\u{2029}".contains(c)),
            "{line:?}"
        );
    }

    #[test]
    fn lines_beyond_so_many_a_second_are_counted() {
        let mut lines = RefusalLines::new(2);
        let now = Instant(Nanos::SECOND.0);
        assert_eq!(lines.admit(now), Some(0));
        assert_eq!(lines.admit(now), Some(0));
        assert_eq!(lines.admit(now), None);
        assert_eq!(lines.admit(now), None);
        let half_a_second_on = now.plus(Nanos(Nanos::SECOND.0 / 2));
        assert_eq!(lines.admit(half_a_second_on), Some(2));
        assert_eq!(lines.admit(half_a_second_on), None);
        assert_eq!(RefusalLines::new(0).admit(now), None);
    }
}
