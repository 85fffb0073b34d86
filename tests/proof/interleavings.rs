//! Every interleaving of a few workers on one slot.
//!
//! The code under test is not instrumented: a worker's operation is run again from its beginning for each
//! step. Calls it has made before are answered from its log, exactly one further call touches the shared
//! data, and every later one fails, so that the operation unwinds and is thrown away. The graph of states is
//! searched depth-first; a state that was seen before (by a hash of 128 bits) is not entered again.

mod call;
mod replay;
mod world;

use std::collections::HashSet;

use weir::local::limit::Limit;
use weir::local::store::Dialect;
use weir::local::table::Table;

use self::replay::State;
use self::world::{Counter, Operation, World};
use crate::world::{HOUR, bucket, window};

/// What workers do, and what must hold when all are done.
struct Case {
    world: World,
    /// What each worker does, one operation after the other.
    programs: Vec<Vec<Operation>>,
}

/// What a search has come across.
#[derive(Debug, Default)]
struct Found {
    states: usize,
    ends: usize,
    /// Ends in which something was refused, given back, forgotten, lost a race or went uncharged.
    refused: usize,
    given_back: usize,
    evicted: usize,
    retried: usize,
    uncharged: usize,
    /// The fewest requests that an end has admitted.
    least_charged: u32,
    /// The first violation.
    violation: Option<String>,
}

impl Case {
    fn search(&self) -> Found {
        let mut found = Found {
            least_charged: u32::MAX,
            ..Found::default()
        };
        let mut seen = HashSet::new();
        let mut open = vec![State::begin(&self.world, self.programs.len())];
        while let Some(state) = open.pop() {
            if !seen.insert(state.hash(&self.programs)) {
                continue;
            }
            found.states += 1;
            let mut ended = true;
            for (index, program) in self.programs.iter().enumerate() {
                if let Some(next) = state.step(&self.world, index, program) {
                    ended = false;
                    open.push(next);
                }
            }
            if let Err(violation) = state.check(&self.world, ended) {
                found.violation = Some(violation);
                return found;
            }
            if ended {
                found.ends += 1;
                found.count(&state);
            }
        }
        found
    }

    /// Searches and demands that nothing is violated.
    fn prove(&self, name: &str) -> Found {
        let found = self.search();
        println!("{name}, {:?}: {found:?}", self.world.dialect);
        assert_eq!(found.violation, None, "{name}");
        found
    }
}

impl Found {
    fn count(&mut self, state: &State) {
        let ledger = &state.ledger;
        self.least_charged = self.least_charged.min(ledger.charged());
        self.refused += usize::from(ledger.refused > 0);
        self.given_back += usize::from(ledger.given_back);
        self.evicted += usize::from(ledger.evicted > 0);
        self.retried += usize::from(ledger.retried);
        self.uncharged += usize::from(ledger.uncharged > 0);
    }
}

const BOTH: [Dialect; 2] = [Dialect::ZeroOverwrites, Dialect::ZeroInserts];

/// A rule that admits `most`, by a bucket and a window that must agree.
fn rule(most: u32) -> Vec<Limit> {
    let bucket = bucket(most, HOUR, most).expect("a bucket");
    vec![bucket, window(most, HOUR, false)]
}

fn counter(domain: &str, dialect: Dialect, key: u64, rule: u16, limits: Vec<Limit>) -> Counter {
    Counter {
        table: Table::new(domain, 1_024, dialect),
        fingerprint: key,
        rule,
        limits,
    }
}

fn world(dialect: Dialect, counters: Vec<Counter>) -> World {
    World {
        dialect,
        counters,
        torn: false,
        aliased: false,
        lawless: false,
        stored: Vec::new(),
    }
}

/// A request that is charged to these counters.
fn charging(counters: &[usize]) -> Operation {
    Operation {
        counters: counters.to_vec(),
        late: 0,
    }
}

/// Three workers, three requests each, all charged to one counter that admits four.
fn one_counter(dialect: Dialect, torn: bool) -> Case {
    let counters = vec![counter("d", dialect, 1, 1, rule(4))];
    Case {
        programs: vec![vec![charging(&[0]); 3]; 3],
        world: World {
            torn,
            ..world(dialect, counters)
        },
    }
}

/// Three workers on two counters of one set: one charges both, the others one each.
fn shared_set(dialect: Dialect, torn: bool) -> Case {
    let counters = vec![
        counter("d", dialect, 1, 1, rule(3)),
        counter("d", dialect, 2, 2, rule(2)),
    ];
    let programs = [[0, 1].as_slice(), &[1], &[0]];
    let programs = programs.map(|counters| vec![charging(counters); 3]);
    Case {
        programs: programs.into(),
        world: World {
            torn,
            ..world(dialect, counters)
        },
    }
}

/// Three counters in sets of their own; each worker charges two of them.
fn ring(dialect: Dialect) -> Case {
    let most = [2, 3, 3];
    let counters = most.into_iter().zip(1_u16..).map(|(most, number)| {
        let key = u64::from(number) << 32 | 1;
        counter("d", dialect, key, number, rule(most))
    });
    let programs = [[0, 1], [1, 2], [2, 0]].map(|pair| vec![charging(&pair); 3]);
    Case {
        programs: programs.into(),
        world: world(dialect, counters.collect()),
    }
}

/// A set full of others who owe everything: two counters push each other out of the one way that is left.
/// A third one has a set of its own.
fn crowded(dialect: Dialect, most: [u32; 3], programs: [&[&[usize]]; 3]) -> Case {
    let counters = vec![
        counter("d", dialect, 1, 1, rule(most[0])),
        counter("d", dialect, 2, 1, rule(most[1])),
        counter("d", dialect, 1 | 1 << 32, 1, rule(most[2])),
    ];
    let world = world(dialect, counters);
    let stored = vec![world.counters[0].filled_set()];
    let programs = programs.iter().map(|program| {
        let program = program.iter().map(|counters| charging(counters));
        program.collect()
    });
    Case {
        programs: programs.collect(),
        world: World { stored, ..world },
    }
}

/// Two tables whose keys the host cannot tell apart: whoever writes first has the slot.
fn aliased(dialect: Dialect, torn: bool) -> Case {
    let counters = vec![
        counter("d", dialect, 1, 1, rule(2)),
        counter("e", dialect, 2, 2, rule(2)),
    ];
    let programs = [0, 1, 1].map(|counter| vec![charging(&[counter]); 3]);
    Case {
        programs: programs.into(),
        world: World {
            torn,
            aliased: true,
            ..world(dialect, counters)
        },
    }
}

#[test]
fn a_counter_admits_what_it_holds_in_every_order() {
    for dialect in BOTH {
        for torn in [false, true] {
            let found = one_counter(dialect, torn).prove("one counter");
            assert!(found.refused == found.ends && found.retried > 0);
            assert_eq!(found.least_charged, 4);
        }
    }
}

#[test]
fn counters_of_one_set_do_not_lose_each_others_charges() {
    for dialect in BOTH {
        for torn in [false, true] {
            let found = shared_set(dialect, torn).prove("two counters in one set");
            assert!(found.refused > 0 && found.given_back > 0);
        }
    }
}

#[test]
fn a_request_is_charged_to_both_its_counters_or_to_neither() {
    for dialect in BOTH {
        let found = ring(dialect).prove("two of three counters each");
        assert!(found.refused > 0 && found.given_back > 0);
    }
}

#[test]
fn what_is_forgotten_is_told() {
    let programs: [&[&[usize]]; 3] = [
        &[&[0], &[1], &[0]],
        &[&[1], &[0], &[1]],
        &[&[0], &[0], &[1]],
    ];
    for dialect in BOTH {
        let found = crowded(dialect, [4, 4, 1], programs).prove("a crowded set");
        assert_eq!(found.evicted, found.ends);
    }
}

#[test]
fn what_is_forgotten_is_not_given_back_as_well() {
    let programs: [&[&[usize]]; 3] = [&[&[0, 2], &[0, 2]], &[&[2], &[2]], &[&[1], &[0], &[1]]];
    for dialect in BOTH {
        let found = crowded(dialect, [2, 2, 3], programs).prove("give-backs in a crowded set");
        assert!(found.evicted > 0 && found.given_back > 0);
    }
}

#[test]
fn a_slot_that_is_anothers_is_left_alone() {
    for dialect in BOTH {
        for torn in [false, true] {
            let found = aliased(dialect, torn).prove("an aliased slot");
            assert_eq!(found.uncharged, found.ends);
        }
    }
}

#[test]
fn clocks_a_microsecond_apart_change_nothing() {
    for dialect in BOTH {
        let mut case = shared_set(dialect, false);
        for (late, program) in [0, 2_000, 1_000].into_iter().zip(&mut case.programs) {
            for operation in program {
                operation.late = late;
            }
        }
        case.prove("clocks apart");
    }
}

#[test]
fn a_host_that_does_not_compare_is_found_out() {
    let case = one_counter(Dialect::ZeroOverwrites, false);
    let world = World {
        lawless: true,
        ..case.world
    };
    let found = Case { world, ..case }.search();
    assert!(found.violation.is_some(), "{found:?}");
}
