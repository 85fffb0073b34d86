//! One limit: an algorithm, its parameters, and what it is called.

use super::cell::{Cell, Tag};
use super::gcra::{Bucket, FullAt};
use super::window::Window;
use crate::units::{Instant, Nanos, Now, Wait};

/// The most limits that one rule may have.
pub const MAX_LIMITS: usize = 8;

/// One limit of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Unique within the rule; `[a-z0-9][a-z0-9_.-]{0,63}`.
    pub name: Box<str>,
    /// What it is called in headers: the rule's name, or `rule.limit` when the rule has several.
    pub policy: Box<str>,
    /// What is admitted per [`Self::per`]; 0 refuses all.
    pub requests: u32,
    /// The period as configured; a calendar month counts as 31 days here, where only headers and bodies
    /// read it.
    pub per: Nanos,
    /// How it is counted.
    pub algorithm: Algorithm,
}

/// How a limit is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Refuses everything and keeps no state: `"requests": 0`.
    Closed,
    /// A token bucket.
    TokenBucket(Bucket),
    /// A fixed or a sliding window.
    Window(Window),
}

impl Limit {
    /// The most that it admits at once.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        match &self.algorithm {
            Algorithm::Closed => 0,
            Algorithm::TokenBucket(bucket) => bucket.capacity().get(),
            Algorithm::Window(window) => window.limit,
        }
    }

    /// The span in which [`Self::capacity`] is restored from nothing: a bucket's time to fill, a window.
    #[must_use]
    pub const fn window(&self) -> Nanos {
        match &self.algorithm {
            Algorithm::TokenBucket(bucket) => bucket.fill_time(),
            Algorithm::Closed | Algorithm::Window(_) => self.per,
        }
    }

    /// What its cell is tagged with; an empty tag when it keeps no state.
    #[must_use]
    pub fn tag(&self) -> Tag {
        match &self.algorithm {
            Algorithm::Closed => Tag::default(),
            Algorithm::TokenBucket(bucket) => Tag::of_bucket(bucket.period()),
            Algorithm::Window(window) => Tag::of_window(window),
        }
    }

    /// A stored cell as this limit counts from it, from `from` on: the later of now and when the cell was
    /// stored, so that clocks that are read a little apart give nothing back.
    ///
    /// One that counts something else is fresh. One that was written under other numbers goes on under this
    /// limit's own: what is missing stays missing, in requests. What a smaller bucket cannot be short of is
    /// kept in its cell, which says so by a capacity beyond the bucket's own.
    #[must_use]
    pub fn adopt(&self, cell: Cell, from: Instant) -> Cell {
        if cell.tag != self.tag() {
            return Cell::default();
        }
        match &self.algorithm {
            Algorithm::TokenBucket(bucket) if !self.wrote(&cell) => {
                let (state, beyond) =
                    bucket.adopt(cell.full_at(), cell.limit(), cell.capacity(), from);
                self.bucket_cell(bucket, state, beyond)
            }
            Algorithm::Window(_) => Cell::window(cell.tag, cell.counted(), self.requests),
            Algorithm::TokenBucket(_) | Algorithm::Closed => cell,
        }
    }

    /// The cell after a charge of `cost`, or how long until one would fit.
    ///
    /// # Errors
    /// [`Wait`] when it does not fit; the state is then unchanged.
    pub fn charge(&self, cell: Cell, now: Now, cost: u32) -> Result<Cell, Wait> {
        let cell = self.adopt(cell, now.monotonic);
        match &self.algorithm {
            Algorithm::Closed => Err(Wait::Never),
            Algorithm::TokenBucket(bucket) => {
                let (state, beyond) = own(bucket, &cell);
                let state = bucket.charge(state, now.monotonic, cost)?;
                Ok(self.bucket_cell(bucket, state, beyond))
            }
            Algorithm::Window(window) => {
                let state = window.charge(cell.counted(), now.unix, cost)?;
                Ok(Cell::window(self.tag(), state, self.requests))
            }
        }
    }

    /// The cell after a charge is taken back. `charged` is what the charge wrote, `elapsed` the most that can
    /// have passed since. Never gives back more than the charge took; nothing to a cell that was adopted by
    /// other numbers meanwhile, in which the charge may weigh less.
    #[must_use]
    pub fn give_back(&self, cell: Cell, charged: Cell, cost: u32, elapsed: Nanos) -> Cell {
        if cell.tag != charged.tag || cell.limit() != charged.limit() {
            return cell;
        }
        match &self.algorithm {
            Algorithm::TokenBucket(bucket) if cell.capacity() == charged.capacity() => {
                let state = bucket.give_back(cell.full_at(), cost, elapsed);
                Cell::bucket(cell.tag, state, cell.limit(), cell.capacity())
            }
            Algorithm::Window(window) => {
                let state = window.give_back(cell.counted(), charged.counted().index, cost);
                Cell::window(cell.tag, state, self.requests)
            }
            Algorithm::TokenBucket(_) | Algorithm::Closed => cell,
        }
    }

    /// What fits now, and the time until everything does.
    #[must_use]
    pub fn quota(&self, cell: Cell, now: Now) -> (u32, Nanos) {
        let cell = self.adopt(cell, now.monotonic);
        match &self.algorithm {
            Algorithm::Closed => (0, Nanos(0)),
            Algorithm::TokenBucket(bucket) => bucket.quota(own(bucket, &cell).0, now.monotonic),
            Algorithm::Window(window) => window.quota(cell.counted(), now.unix),
        }
    }

    /// Whether a cell of this limit's tag was written under this limit's numbers, and nothing is beyond it.
    fn wrote(&self, cell: &Cell) -> bool {
        let same_capacity = match &self.algorithm {
            Algorithm::TokenBucket(bucket) => cell.capacity() == bucket.capacity().get(),
            Algorithm::Closed | Algorithm::Window(_) => true,
        };
        same_capacity && cell.limit() == self.requests
    }

    fn bucket_cell(&self, bucket: &Bucket, state: FullAt, beyond: u32) -> Cell {
        let capacity = bucket.capacity().get().saturating_add(beyond);
        Cell::bucket(
            self.tag(),
            bucket.later(state, beyond),
            self.requests,
            capacity,
        )
    }
}

/// A bucket's own state in an adopted cell, and what is missing beyond it.
fn own(bucket: &Bucket, cell: &Cell) -> (FullAt, u32) {
    let beyond = cell.capacity().saturating_sub(bucket.capacity().get());
    (bucket.earlier(cell.full_at(), beyond), beyond)
}
