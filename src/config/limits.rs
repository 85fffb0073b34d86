//! The limits of a rule: their names and their arithmetic.

use std::num::{NonZeroU32, NonZeroU64};

use super::decode::{List, Reader};
use super::error::Path;
use super::names::Names;
use super::raw;
use super::value::Period;
use crate::global::wire::{Engine, Mode};
use crate::local::calendar::Span;
use crate::local::gcra::Bucket;
use crate::local::limit::{Algorithm, Limit, MAX_LIMITS};
use crate::local::window::Window;
use crate::units::Nanos;

/// The limits of the rule `rule`, which `keeper` supports, where it is known who keeps them beside the proxy.
pub(super) fn limits(
    raw: List<raw::Limit, 1, MAX_LIMITS>,
    rule: &str,
    default: raw::Algorithm,
    keeper: Option<(Engine, Mode)>,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Vec<Limit>> {
    let mut names = Names::default();
    let mut limits = raw.build(|index, raw| {
        let path = path.item(index);
        let name = name(&raw);
        if let Some(first) = name.as_ref().and_then(|name| names.taken(name, index)) {
            let message =
                format!("has the same name as limits[{first}]; give one of them another \"name\"");
            reader.refuse::<()>(&path, &message);
        }
        let algorithm = raw.algorithm.map(|written| written.unwrap_or(default));
        let limit = limit(raw, name, algorithm, &path, reader)?;
        match keeper.map(|(engine, mode)| engine.supports(&limit, mode)) {
            Some(Err(message)) => reader.refuse(&path, message),
            _ => Some(limit),
        }
    })?;
    let alone = limits.len() == 1;
    for limit in &mut limits {
        limit.policy = if alone {
            rule.into()
        } else {
            format!("{rule}.{}", limit.name).into()
        };
    }
    Some(limits)
}

/// The name of a limit as written, or derived: `20-per-1s`.
fn name(raw: &raw::Limit) -> Option<Box<str>> {
    match raw.name.as_ref()? {
        Some(name) => Some(name.0.clone()),
        None => {
            let (requests, per) = (raw.requests.as_ref()?, raw.per.as_ref()?);
            Some(format!("{}-per-{}", requests.0.0, per.text).into())
        }
    }
}

fn limit(
    raw: raw::Limit,
    name: Option<Box<str>>,
    algorithm: Option<raw::Algorithm>,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<Limit> {
    fits_algorithm(&raw, algorithm, path, reader)?;
    let period = raw.per?.period;
    let requests = raw.requests?.0.0;
    let burst = raw.burst?.map_or(requests, |burst| burst.0.0);
    let offset = raw.utc_offset?.map_or(0, |offset| offset.0);
    let algorithm = match (NonZeroU32::new(requests), algorithm?) {
        (None, _) => Algorithm::Closed,
        (Some(requests), raw::Algorithm::TokenBucket) => {
            let capacity = NonZeroU32::new(burst).unwrap_or(requests);
            match Bucket::new(requests, period.nominal(), capacity) {
                Some(bucket) => Algorithm::TokenBucket(bucket),
                None => return reader.refuse(path, "filling the bucket would take more than 146 years (burst × per ÷ requests); lower \"burst\" or \"per\", or raise \"requests\""),
            }
        }
        (Some(_), windowed) => Algorithm::Window(Window {
            limit: requests,
            span: span(period, offset),
            sliding: windowed == raw::Algorithm::SlidingWindow,
        }),
    };
    Some(Limit {
        name: name?,
        policy: Box::default(),
        requests,
        per: period.nominal(),
        algorithm,
    })
}

/// Reports members that the algorithm or the period has no use for.
fn fits_algorithm(
    raw: &raw::Limit,
    algorithm: Option<raw::Algorithm>,
    path: &Path<'_>,
    reader: &mut Reader<'_>,
) -> Option<()> {
    let mut fits = Some(());
    if let (Some(Some(_)), Some(raw::Algorithm::FixedWindow | raw::Algorithm::SlidingWindow)) =
        (&raw.burst, algorithm)
    {
        let path = path.member("burst");
        fits = reader.refuse(
            &path,
            "is only allowed with \"algorithm\": \"token_bucket\"",
        );
    }
    let Some(per) = &raw.per else { return None };
    let is_calendar = !matches!(per.period, Period::Every(_));
    if is_calendar && algorithm.is_some_and(|algorithm| algorithm != raw::Algorithm::FixedWindow) {
        let path = path.member("per");
        fits = reader.refuse(
            &path,
            "a calendar period is only allowed with \"algorithm\": \"fixed_window\"",
        );
    }
    if let (false, Some(Some(_))) = (is_calendar, &raw.utc_offset) {
        let path = path.member("utc_offset");
        fits = reader.refuse(&path, "is only allowed when \"per\" is a calendar period");
    }
    fits
}

const MINUTE: u64 = 60 * Nanos::SECOND.0;
const DAY_MINUTES: i32 = 1_440;

/// When the windows of a period begin, in a zone `utc_offset` minutes ahead of UTC.
fn span(period: Period, utc_offset: i16) -> Span {
    if period == Period::Month {
        return Span::Month {
            utc_offset_minutes: utc_offset,
        };
    }
    // 1970-01-01 was a Thursday, three days into its week.
    let into_week = if period == Period::Week {
        3 * DAY_MINUTES
    } else {
        0
    };
    let begun = (into_week + i32::from(utc_offset)).rem_euclid(7 * DAY_MINUTES);
    let length = NonZeroU64::new(period.nominal().0).unwrap_or(NonZeroU64::MIN);
    Span::Every {
        length,
        offset: Nanos(u64::from(begun.unsigned_abs()) * MINUTE % length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::UnixTime;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// 2024-03-01T00:00:00Z, a Friday.
    const FRIDAY: u64 = 1_709_251_200;
    const HOUR: u64 = 3_600;

    fn left(period: Period, utc_offset: i16, unix_seconds: u64) -> u64 {
        let now = UnixTime(unix_seconds * Nanos::SECOND.0);
        span(period, utc_offset).position(now).left.0 / Nanos::SECOND.0
    }

    #[test]
    fn a_day_ends_at_midnight_of_its_zone() {
        assert_eq!(left(Period::Day, 0, FRIDAY), 24 * HOUR);
        assert_eq!(left(Period::Day, 120, FRIDAY), 22 * HOUR);
        assert_eq!(left(Period::Day, -330, FRIDAY), 5 * HOUR + HOUR / 2);
        assert_eq!(left(Period::Day, 14 * 60, FRIDAY), 10 * HOUR);
        assert_eq!(left(Period::Day, -12 * 60, FRIDAY), 12 * HOUR);
    }

    #[test]
    fn a_week_begins_on_monday() {
        let monday = FRIDAY + 3 * 24 * HOUR;
        assert_eq!(left(Period::Week, 0, monday), 7 * 24 * HOUR);
        assert_eq!(left(Period::Week, 0, monday - 1), 1);
        assert_eq!(left(Period::Week, 60, monday - HOUR), 7 * 24 * HOUR);
        assert_eq!(left(Period::Week, -60, monday + HOUR - 1), 1);
    }

    #[test]
    fn a_month_begins_on_its_first_day() {
        assert_eq!(left(Period::Month, 0, FRIDAY), 31 * 24 * HOUR);
        assert_eq!(left(Period::Month, 60, FRIDAY - HOUR), 31 * 24 * HOUR);
    }

    #[test]
    fn other_windows_are_aligned_to_unix_time() {
        let period = Period::Every(Nanos(90 * Nanos::SECOND.0));
        assert_eq!(left(period, 0, 180), 90);
        assert_eq!(left(period, 0, 200), 70);
    }
}
