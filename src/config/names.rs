//! Names that must be unique.

/// Names in order, each with the place that had it first.
///
/// A sorted list, since the module would have no other use for the code of a map; the largest holds the 8,000
/// limits of 1,000 rules.
#[derive(Default)]
pub(super) struct Names(Vec<(Box<str>, usize)>);

impl Names {
    /// The place that had `name` before `place` did.
    #[inline(never)]
    pub fn taken(&mut self, name: &str, place: usize) -> Option<usize> {
        match self.0.binary_search_by(|(other, _)| (**other).cmp(name)) {
            Ok(found) => {
                let (_, first) = self.0.get(found)?;
                Some(*first).filter(|first| *first != place)
            }
            Err(free) => {
                self.0.insert(free, (name.into(), place));
                None
            }
        }
    }
}
