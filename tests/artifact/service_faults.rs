//! Every hostcall of a request that waits, and of the callbacks that it waits for, failing in every way.
//! Nobody is left waiting once the tick has passed `max_wait`, and nobody is admitted whom neither the
//! service nor the store was asked for, unless that is what was configured, and then it is counted.

use crate::faults::STATUSES;
use crate::host::{At, Fault, Script};
use crate::http_calls::CallAnswer;
use crate::process::{Process, Shared};
use crate::scene::{SECOND, Scene};
use crate::service::{from, gone, on_error, told};
use crate::shared_data::Dialect;
use crate::worker::Worker;

/// The callback whose calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Park,
    Wake,
    Answer,
    Tick,
}

const STAGES: [Stage; 4] = [Stage::Park, Stage::Wake, Stage::Answer, Stage::Tick];

/// How two requests fared of which the service grants the first and refuses the second.
struct Felt {
    case: String,
    trace: Vec<String>,
    /// Whether each was admitted; `None` for one that waits for ever.
    admitted: [Option<bool>; 2],
    /// Whether the service was heard.
    heard: bool,
    /// Growth of the counters of uncharged requests and of the values written.
    uncharged: i64,
    writes: i64,
}

impl Felt {
    /// Whether the call that failed is one by which a stream is ended: there is no other way to end it.
    fn out_of_hand(&self) -> bool {
        [
            "set_effective_context stream",
            "continue_stream",
            "send_local_response",
        ]
        .iter()
        .any(|call| self.failed(call))
    }

    /// Whether a client's address could not be read, so that its request meets no rule.
    fn keyless(&self) -> bool {
        self.failed("get_property source.address") || self.has("get_property source.address -> 0 B")
    }

    fn failed(&self, call: &str) -> bool {
        let outcome = |line: &str| {
            line.rsplit_once(" -> ")
                .is_some_and(|(_, end)| !end.ends_with(" B"))
        };
        let failed = |line: &String| line.trim_start().starts_with(call) && outcome(line);
        self.trace.iter().any(failed)
    }

    fn has(&self, line: &str) -> bool {
        self.trace.iter().any(|held| held.trim_start() == line)
    }

    fn admitted(&self) -> i64 {
        let admitted = self
            .admitted
            .iter()
            .filter(|admitted| **admitted == Some(true));
        i64::try_from(admitted.count()).unwrap()
    }
}

impl std::fmt::Display for Felt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}", self.case, self.trace.join("\n"))
    }
}

/// A granted request and a refused one, from the begin to a late tick, with a script for one stage.
fn run(scene: &mut Scene, stage: Stage, answer: &CallAnswer, script: &mut Option<Script>) -> usize {
    let mut calls = 0;
    let mut at = |scene: &mut Scene, here: Stage, act: &mut dyn FnMut(&mut Scene)| {
        if here == stage {
            scene.worker.script(script.take().unwrap_or_default());
        }
        act(scene);
        if here == stage {
            calls = scene.worker.host().script.calls();
            scene.worker.script(Script::default());
        }
    };
    at(scene, Stage::Park, &mut |scene| {
        for client in 0..2 {
            let stream = scene.worker.open(scene.root, &from(client));
            scene.worker.request_headers(stream);
        }
    });
    at(scene, Stage::Wake, &mut Scene::wake);
    at(scene, Stage::Answer, &mut |scene| {
        if stage != Stage::Tick {
            for call in scene.calls() {
                scene.worker.answer(call, answer.clone());
            }
        }
    });
    at(scene, Stage::Tick, &mut Scene::tick_late);
    calls
}

fn each_call_failing(scene: &mut Scene, answer: &CallAnswer, mut check: impl FnMut(&Felt)) {
    for stage in STAGES {
        let calls = run(scene, stage, answer, &mut None);
        finish(scene);
        assert!(calls > 0, "{stage:?}");
        for position in 0..=calls {
            for status in STATUSES {
                scene.process.borrow_mut().advance(86_400 * SECOND);
                let uncharged = scene.metric("weir.rule.per-client.uncharged");
                let writes = scene.process.borrow().shared_data.writes();
                scene.worker.take_trace();
                let fault = (At::Position(position), Fault::Status(status));
                run(scene, stage, answer, &mut Some(Script::new([fault])));
                let admitted = finish(scene);
                let trace = scene.worker.take_trace();
                let written = scene.process.borrow().shared_data.writes();
                check(&Felt {
                    case: format!("status {status} at call {position} of {stage:?}"),
                    admitted,
                    heard: trace
                        .iter()
                        .any(|line| line.starts_with("on_http_call_response")),
                    trace,
                    uncharged: scene.metric("weir.rule.per-client.uncharged") - uncharged,
                    writes: i64::try_from(written - writes).unwrap(),
                });
            }
        }
    }
}

/// Ticks until whoever waits has waited too long, and ends both streams.
fn finish(scene: &mut Scene) -> [Option<bool>; 2] {
    for _ in 0..3 {
        scene.tick_late();
    }
    let streams: Vec<_> = scene.worker.host().streams.keys().copied().collect();
    let mut admitted = streams.iter().map(|stream| {
        if scene.waits(*stream) {
            scene.worker.close(*stream);
            return None;
        }
        Some(scene.end(&[*stream])[0])
    });
    let admitted = [admitted.next().unwrap(), admitted.next().unwrap()];
    for call in scene.calls() {
        scene.worker.answer(call, gone());
    }
    scene.close_breaker();
    scene.tick_late();
    admitted
}

#[test]
fn nobody_waits_for_ever_and_nobody_passes_uncounted() {
    for action in ["local", "allow", "deny"] {
        for (answer, granted) in [(told(&[Some(7), None]), 1), (gone(), 0)] {
            let mut scene = Scene::new(&on_error(action));
            let mut felt_uncharged = 0;
            each_call_failing(&mut scene, &answer, |felt| {
                let waits = felt.admitted.contains(&None);
                assert!(!waits || felt.out_of_hand(), "waits: {action}, {felt}");
                let granted = if felt.heard { granted } else { 0 };
                let charged = granted + felt.writes + felt.uncharged;
                let accounted = felt.admitted() <= charged + i64::from(felt.keyless());
                assert!(accounted, "{action}, {} charged: {felt}", charged);
                felt_uncharged += felt.uncharged;
            });
            assert!(felt_uncharged > 0, "{action}: no fault was felt");
        }
    }
}

#[test]
fn what_denies_on_every_fault_admits_only_whom_the_service_grants() {
    let denying = r#""on_fault": "deny", "on_missing_key": "deny", "key""#;
    let configuration = on_error("deny").replace(r#""key""#, denying);
    for (answer, granted) in [(told(&[Some(7), None]), 1), (gone(), 0)] {
        let mut scene = Scene::new(&configuration);
        each_call_failing(&mut scene, &answer, |felt| {
            let granted = if felt.heard { granted } else { 0 };
            assert!(felt.admitted() <= granted, "{felt}");
            assert_ne!(felt.admitted[1], Some(true), "{felt}");
        });
        assert_eq!(scene.metric("weir.rule.per-client.uncharged"), 0);
    }
}

/// What a root needs to be woken is got once, while it is configured.
#[test]
fn a_root_that_cannot_be_woken_decides_by_on_error() {
    for position in 0..20 {
        for status in [1, 2, 7, 8, 10, 77] {
            let mut worker = Worker::new(&Process::new(Dialect::Envoy));
            let fault = (At::Position(position), Fault::Status(status));
            worker.script(Script::new([fault]));
            let mut root = worker.configure(&on_error("deny"));
            worker.script(Script::default());
            if !root.accepted {
                root = worker.configure_root(root.id, &on_error("deny"));
            }
            let process = Shared::clone(&worker.host().process);
            let mut scene = Scene {
                process,
                worker,
                root,
            };
            // Counters that the first faults kept it from.
            scene.worker.tick(root);
            let stream = scene.worker.open(root, &from(0));
            scene.worker.request_headers(stream);
            scene.wake();
            for call in scene.calls() {
                scene.worker.answer(call, told(&[None]));
            }
            assert_eq!(
                scene.end(&[stream]),
                [false],
                "status {status} at call {position}"
            );
        }
    }
}
