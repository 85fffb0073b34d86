//! One limit: an algorithm, its parameters, and what it is called.

use super::cell::{Cell, Tag};
use super::gcra::{Bucket, FullAt};
use super::window::{Count, Window};
use crate::units::{Instant, Nanos, Now, Numbers, Wait};

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

    /// What it admits per period.
    #[must_use]
    pub const fn numbers(&self) -> Numbers {
        Numbers {
            requests: self.requests,
            per: self.per,
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
    pub fn adopt(&self, cell: Cell, from: Instant) -> Adopted {
        if cell.tag != self.tag() {
            return self.fresh();
        }
        Adopted(match &self.algorithm {
            Algorithm::Closed => cell,
            Algorithm::TokenBucket(bucket) => {
                let (state, beyond) =
                    bucket.adopt(cell.full_at(), cell.limit(), cell.capacity(), from);
                self.bucket_cell(bucket, cell.tag, state, beyond)
            }
            Algorithm::Window(_) => Cell::window(cell.tag, cell.counted(), self.requests),
        })
    }

    /// The cell of a key that has not been charged yet.
    #[must_use]
    pub fn fresh(&self) -> Adopted {
        let tag = self.tag();
        Adopted(match &self.algorithm {
            Algorithm::Closed => Cell::default(),
            Algorithm::TokenBucket(bucket) => self.bucket_cell(bucket, tag, FullAt::default(), 0),
            Algorithm::Window(_) => Cell::window(tag, Count::default(), self.requests),
        })
    }

    /// A stored cell that this limit itself has written, under the numbers that it has and with nothing
    /// beyond them; `None` for one that is to be adopted.
    #[must_use]
    pub fn own(&self, cell: Cell) -> Option<Adopted> {
        let same_capacity = match &self.algorithm {
            Algorithm::TokenBucket(bucket) => cell.capacity() == bucket.capacity().get(),
            Algorithm::Closed | Algorithm::Window(_) => true,
        };
        let own = same_capacity && cell.limit() == self.requests && cell.tag == self.tag();
        own.then_some(Adopted(cell))
    }

    /// The cell after a charge of `cost`, or how long until one would fit.
    ///
    /// # Errors
    /// [`Wait`] when it does not fit; the state is then unchanged.
    pub fn charge(&self, Adopted(cell): Adopted, now: Now, cost: u32) -> Result<Adopted, Wait> {
        match &self.algorithm {
            Algorithm::Closed => Err(Wait::Never),
            Algorithm::TokenBucket(bucket) => {
                let (state, beyond) = own_state(bucket, &cell);
                let state = bucket.charge(state, now.monotonic, cost)?;
                Ok(Adopted(self.bucket_cell(bucket, cell.tag, state, beyond)))
            }
            Algorithm::Window(window) => {
                let state = window.charge(cell.counted(), now.unix, cost)?;
                Ok(Adopted(Cell::window(cell.tag, state, self.requests)))
            }
        }
    }

    /// A stored cell after a charge is taken back. `charged` is what the charge wrote, `elapsed` the most
    /// that can have passed since. Never gives back more than the charge took; nothing to a cell that was
    /// adopted by other numbers meanwhile, in which the charge may weigh less.
    #[must_use]
    pub fn give_back(
        &self,
        cell: Cell,
        Adopted(charged): Adopted,
        cost: u32,
        elapsed: Nanos,
    ) -> Cell {
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
    pub fn quota(&self, Adopted(cell): Adopted, now: Now) -> (u32, Nanos) {
        match &self.algorithm {
            Algorithm::Closed => (0, Nanos(0)),
            Algorithm::TokenBucket(bucket) => {
                bucket.quota(own_state(bucket, &cell).0, now.monotonic)
            }
            Algorithm::Window(window) => window.quota(cell.counted(), now.unix),
        }
    }

    fn bucket_cell(&self, bucket: &Bucket, tag: Tag, state: FullAt, beyond: u32) -> Cell {
        let capacity = bucket.capacity().get().saturating_add(beyond);
        let state = bucket.later(state, beyond);
        Cell::bucket(tag, state, self.requests, capacity)
    }
}

/// A cell that counts under the numbers of the limit that made it so, which alone may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adopted(Cell);

impl Adopted {
    /// The cell, to store.
    #[must_use]
    pub const fn cell(self) -> Cell {
        self.0
    }
}

/// A bucket's own state in an adopted cell, and what is missing beyond it.
fn own_state(bucket: &Bucket, cell: &Cell) -> (FullAt, u32) {
    let beyond = cell.capacity().saturating_sub(bucket.capacity().get());
    (bucket.earlier(cell.full_at(), beyond), beyond)
}
