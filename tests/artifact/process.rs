//! What the workers of one proxy share: shared data, metrics, clocks, the environment.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::shared_data::{Dialect, SharedData};

/// Handle that each worker of the process holds.
pub type Shared = Rc<RefCell<Process>>;

/// One proxy process.
pub struct Process {
    pub shared_data: SharedData,
    pub metrics: Metrics,
    /// Nanoseconds since a start of no meaning.
    pub monotonic: u64,
    /// Nanoseconds since 1970.
    pub realtime: u64,
    pub environment: Vec<(String, String)>,
    pub random: Random,
    /// Names of the queues of all workers; each has its number from its place.
    pub queue_names: Vec<String>,
}

impl Process {
    /// At noon of some day, one hour after the machine started, with nothing in shared data.
    pub fn new(dialect: Dialect) -> Shared {
        Rc::new(RefCell::new(Self {
            shared_data: SharedData::new(dialect),
            metrics: Metrics::default(),
            monotonic: 3_600 * 1_000_000_000,
            realtime: 1_767_268_800 * 1_000_000_000,
            environment: Vec::new(),
            random: Random(7),
            queue_names: Vec::new(),
        }))
    }

    pub fn dialect(&self) -> Dialect {
        self.shared_data.dialect
    }

    /// Both clocks move on.
    pub fn advance(&mut self, nanoseconds: u64) {
        self.monotonic += nanoseconds;
        self.realtime += nanoseconds;
    }
}

/// Kind of a metric, as the ABI numbers it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Metrics by name; each definition is an id of its own, as on Envoy.
#[derive(Default)]
pub struct Metrics {
    defined: Vec<(Kind, String)>,
    values: BTreeMap<String, i64>,
}

impl Metrics {
    pub fn define(&mut self, kind: Kind, name: String) -> u32 {
        self.values.entry(name.clone()).or_insert(0);
        self.defined.push((kind, name));
        u32::try_from(self.defined.len()).unwrap()
    }

    pub fn defined(&self, id: u32) -> Option<(Kind, String)> {
        self.defined
            .get(usize::try_from(id).unwrap().checked_sub(1)?)
            .cloned()
    }

    pub fn add(&mut self, name: &str, offset: i64) {
        *self.values.get_mut(name).unwrap() += offset;
    }

    pub fn set(&mut self, name: &str, value: i64) {
        *self.values.get_mut(name).unwrap() = value;
    }

    /// 0 also for a metric that was never defined, as an operator's dashboard would show it.
    pub fn value(&self, name: &str) -> i64 {
        self.values.get(name).copied().unwrap_or(0)
    }

    pub fn definitions(&self) -> usize {
        self.defined.len()
    }
}

/// SplitMix64: the same numbers on every run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
