//! What becomes of a request on the host's side: it goes on, or is answered and told of.

use super::super::call::{self, Map};
use super::super::meter::Meter;
use super::super::notes::Notes;
use super::super::request::CurrentRequest;
use super::Verdict;
use crate::decision::Decision;
use crate::facts::Facts;
use crate::key;
use crate::limiter::Answer;
use crate::log::{self, Incident, RefusalLines};
use crate::pairs::Pairs;
use crate::plan::{LogKeys, Plan};
use crate::reply::LocalReply;
use crate::reply::headers::{Change, ResponseHeaders};
use crate::units::Now;

/// Refuses a request whose header fields are too many to be judged (RFC 6585 §5).
pub(super) fn refuse_fields(notes: &mut Notes) -> Verdict {
    const TOO_LARGE: u16 = 431;
    let none = Pairs::with_room().finish();
    if call::send_local_response(TOO_LARGE, &[], &[], &none, -1).is_err() {
        notes.tell(Incident::Reply);
    }
    Verdict::Answered
}

/// Counts an answer, tells the log of a refusal and sends it, without its body where `is_bare`.
pub(super) fn conclude(
    answer: Answer<'_>,
    now: Option<Now>,
    is_bare: bool,
    meter: &Meter,
    lines: &mut RefusalLines,
    facts: &mut Facts<'_, CurrentRequest>,
    notes: &mut Notes,
) -> Verdict {
    let (plan, refused) = match answer {
        Answer::Pass(decision, headers) => {
            meter.count(&decision, &mut notes.metrics);
            return Verdict::Pass(headers);
        }
        Answer::Park { .. } => return Verdict::Parked,
        Answer::Refuse(plan, refused) => (plan, refused),
    };
    meter.count(&refused.decision, &mut notes.metrics);
    if let Some(suppressed) = lines.admit(now.unwrap_or_default().monotonic) {
        report(plan, &refused.decision, suppressed, facts);
    }
    if send(&refused.reply, is_bare).is_err() {
        notes.tell(Incident::Reply);
    }
    Verdict::Answered
}

/// Writes a line about a refusal.
fn report(
    plan: &Plan,
    decision: &Decision,
    suppressed: u64,
    facts: &mut Facts<'_, CurrentRequest>,
) {
    let rule = decision
        .refusal
        .and_then(|refusal| plan.rules.get(refusal.rule));
    let shown = rule.filter(|_| plan.log.keys == LogKeys::Plain);
    let key = shown.and_then(|rule| key::plain(rule, &plan.client_ip, facts));
    if let Some(line) = log::refusal_line(plan, decision, key.as_deref(), suppressed) {
        ::log::info!("{line}");
    }
}

/// Adds to the response whose callback is running what it is to say.
pub fn show(headers: ResponseHeaders) {
    let upstream = headers
        .sentinel()
        .and_then(|name| call::read_header(Map::Response, name).ok());
    for change in headers.changes(upstream.as_deref()) {
        // A header that cannot be set is one that the client goes without.
        let _ = match change {
            Change::Add(name, value) => call::add_header(Map::Response, name, &value),
            Change::Replace(name, value) => call::replace_header(Map::Response, name, &value),
        };
    }
}

fn send(reply: &LocalReply, is_bare: bool) -> call::Outcome<()> {
    // Without it only the access log is poorer.
    let _ = call::set_property(b"weir", &reply.filter_state);
    let grpc_status = reply.grpc_status.unwrap_or(-1);
    // Kong's host makes them the reason phrase, which every client sees.
    let details: &[u8] = match cfg!(feature = "kong") {
        true => &[],
        false => &reply.details,
    };
    call::send_local_response(
        reply.status,
        details,
        if is_bare { &[] } else { &reply.body },
        &reply.headers,
        grpc_status,
    )
}
