//! How values are written in a document, for the defaults that a schema shows.

use serde::Serialize;
use serde_json::{Value, json};

use crate::config::body::NamedBody;
use crate::config::decode::{List, OrEnv};
use crate::config::headers::{AddedHeaders, CallHeaders};
use crate::config::raw::KeyPart;
use crate::config::value::{Domain, Integer, Span};
use crate::plan::Body;
use crate::units::Nanos;

/// What can be written as it was read.
pub(in crate::config) trait Written {
    /// `None` for what is no default.
    fn written(&self) -> Option<Value>;
}

impl Written for bool {
    fn written(&self) -> Option<Value> {
        Some(json!(self))
    }
}

impl<T: Serialize, const MIN: u64, const MAX: u64> Written for Integer<T, MIN, MAX> {
    fn written(&self) -> Option<Value> {
        Some(json!(self.0))
    }
}

impl<const MIN: u64, const MAX: u64> Written for Span<MIN, MAX> {
    /// In the longest unit that it is a whole number of.
    fn written(&self) -> Option<Value> {
        let units = [(Nanos::SECOND, "s"), (Nanos::MILLISECOND, "ms")];
        let mut whole = units
            .iter()
            .filter(|(unit, _)| self.0.0.is_multiple_of(unit.0));
        let (unit, name) = whole.next()?;
        Some(json!(format!("{}{name}", self.0.0 / unit.0)))
    }
}

impl Written for Domain {
    fn written(&self) -> Option<Value> {
        Some(json!(self.0))
    }
}

impl<T: Written> Written for OrEnv<T> {
    fn written(&self) -> Option<Value> {
        self.0.written()
    }
}

impl<T: Written, const MIN: usize, const MAX: usize> Written for List<T, MIN, MAX> {
    fn written(&self) -> Option<Value> {
        let items = self.0.iter().map(|item| item.as_ref()?.written());
        items.collect::<Option<_>>().map(Value::Array)
    }
}

impl Written for KeyPart {
    fn written(&self) -> Option<Value> {
        None
    }
}

impl Written for AddedHeaders {
    fn written(&self) -> Option<Value> {
        self.0.is_empty().then(|| json!({}))
    }
}

impl Written for CallHeaders {
    fn written(&self) -> Option<Value> {
        self.0.is_empty().then(|| json!({}))
    }
}

impl Written for Body {
    fn written(&self) -> Option<Value> {
        match self {
            Self::Problem => NamedBody::Problem.written(),
            Self::None => NamedBody::None.written(),
            Self::Text(_) | Self::Json(_) => None,
        }
    }
}
