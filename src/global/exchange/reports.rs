//! What one worker has reported of each rule, so that it reports it once.

/// What was heard of the rules.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// By the index of the rule.
    rules: Vec<Heard>,
}

/// What was heard of one rule.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    is_unmatched: bool,
    agrees: bool,
    differs: bool,
}

impl Reports {
    /// The limiter has no entry for a descriptor of this rule: whether that is to be reported.
    pub(super) fn unmatched(&mut self, rule: usize) -> bool {
        let heard = self.of(rule);
        heard.is_some_and(|heard| !std::mem::replace(&mut heard.is_unmatched, true))
    }

    /// Whether the limiter counts a key of this rule by other numbers than the plan says: whether that is to be
    /// reported. A rule that also has keys with the plan's numbers has tiers at the limiter: there it is no mistake.
    pub(super) fn numbers(&mut self, rule: usize, differ: bool) -> bool {
        let Some(heard) = self.of(rule) else {
            return false;
        };
        heard.agrees |= !differ;
        differ && !heard.agrees && !std::mem::replace(&mut heard.differs, true)
    }

    fn of(&mut self, rule: usize) -> Option<&mut Heard> {
        if rule >= self.rules.len() {
            self.rules
                .resize_with(rule.saturating_add(1), Heard::default);
        }
        self.rules.get_mut(rule)
    }
}
