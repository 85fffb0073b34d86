use super::*;
use crate::units::UnixTime;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const HOUR: u64 = 3_600 * Nanos::SECOND.0;
const DAYS: u64 = 366 * Nanos::DAY.0;

const NOW: Now = Now {
    monotonic: Instant(1_000 * HOUR),
    unix: UnixTime(500_000 * HOUR),
};

fn every(length: u64, offset: u64, sliding: bool) -> Window {
    Window {
        limit: 10,
        span: Span::Every {
            length: NonZeroU64::new(length).unwrap(),
            offset: Nanos(offset),
        },
        sliding,
    }
}

fn month(utc_offset_minutes: i16, sliding: bool) -> Window {
    Window {
        limit: 10,
        span: Span::Month { utc_offset_minutes },
        sliding,
    }
}

#[test]
fn a_cell_survives_storage() {
    let state = FullAt {
        instant: Instant(u64::MAX - 1),
        rest: 7,
    };
    let cell = Cell::bucket(Tag::of_bucket(Nanos(HOUR)), state, 20, 40);
    assert_eq!(Cell::decode(&cell.encode()), cell);
    let state = Count {
        index: 1 << 50,
        current: 3,
        previous: u32::MAX,
    };
    let cell = Cell::window(Tag::of_window(&month(-60, true)), state, 9);
    assert_eq!(Cell::decode(&cell.encode()), cell);
    assert_eq!(cell.counted(), state);
    assert_eq!(Cell::decode(&[0; CELL_LEN]), Cell::default());
}

#[test]
fn a_tag_tells_algorithm_period_and_offset_apart() {
    let day_and_a_half = DAYS - Nanos::DAY.0 / 2;
    let tags = [
        Tag::default(),
        Tag::of_bucket(Nanos::MILLISECOND),
        Tag::of_bucket(Nanos(HOUR)),
        Tag::of_bucket(Nanos(DAYS)),
        Tag::of_window(&every(HOUR, 0, false)),
        Tag::of_window(&every(HOUR, 0, true)),
        Tag::of_window(&every(HOUR, 60 * Nanos::SECOND.0, false)),
        Tag::of_window(&every(DAYS, 0, false)),
        Tag::of_window(&every(DAYS, 10_079 * 60 * Nanos::SECOND.0, false)),
        Tag::of_window(&every(day_and_a_half, 0, false)),
        Tag::of_window(&month(0, false)),
        Tag::of_window(&month(0, true)),
        Tag::of_window(&month(-1_439, false)),
        Tag::of_window(&month(1_439, false)),
    ];
    for (index, tag) in tags.iter().enumerate() {
        assert!(!tags[..index].contains(tag), "{index}");
    }
}

#[test]
fn a_tag_says_what_it_was_made_of() {
    let week = 7 * Nanos::DAY.0;
    let monday = 3 * Nanos::DAY.0 + 125 * 60 * Nanos::SECOND.0;
    for window in [
        every(week, monday, false),
        every(1_000_000, 0, true),
        every(DAYS, 0, true),
        month(-1_439, false),
        month(1_439, true),
    ] {
        let Kind::Window { span, sliding } = Tag::of_window(&window).kind() else {
            panic!("a window's tag");
        };
        assert_eq!((span, sliding), (window.span, window.sliding));
    }
    let Kind::Bucket { period } = Tag::of_bucket(Nanos(DAYS)).kind() else {
        panic!("a bucket's tag");
    };
    assert_eq!(period, Nanos(DAYS));
}

#[test]
fn harm_is_the_share_that_would_be_forgiven() {
    let owing = |missing: u64| {
        let state = FullAt {
            instant: NOW.monotonic.plus(Nanos(missing)),
            rest: 0,
        };
        // 10 an hour, 20 at most: two hours to fill.
        Cell::bucket(Tag::of_bucket(Nanos(HOUR)), state, 10, 20).harm(NOW)
    };
    assert_eq!(
        [owing(0), owing(HOUR / 2), owing(2 * HOUR)],
        [0.0, 0.25, 1.0]
    );
    let window = every(HOUR, 0, false);
    let counted = |index, current| {
        let state = Count {
            index,
            current,
            previous: 0,
        };
        Cell::window(Tag::of_window(&window), state, 10).harm(NOW)
    };
    assert_eq!(counted(500_000, 5), 0.5);
    assert_eq!(counted(499_999, 5), 0.0);
    assert_eq!(Cell::default().harm(NOW), 0.0);
}

#[test]
fn no_bytes_do_harm_beyond_one() {
    for algorithm in 0..4_u8 {
        for fill in [0, 1, 0x80, 0xff] {
            let mut bytes = [fill; CELL_LEN];
            bytes[7] = algorithm << 6 | fill & 0x3f;
            for zeroed in [0..0, 0..6, 8..16, 16..20, 20..24, 24..28] {
                let mut bytes = bytes;
                bytes[zeroed].fill(0);
                let harm = Cell::decode(&bytes).harm(NOW);
                assert!((0.0..=1.0).contains(&harm), "{bytes:?}: {harm}");
            }
        }
    }
}
