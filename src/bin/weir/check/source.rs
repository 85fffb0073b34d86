//! A file's text, and which line is where in it.

/// A text whose places are byte offsets.
pub struct Source {
    pub text: String,
    /// Where each line begins; the first at 0.
    lines: Vec<usize>,
    /// How many characters begin before every [`STRIDE`]th byte: a line may be all of a long file.
    chars: Vec<usize>,
}

const STRIDE: usize = 4_096;

/// A place as editors count, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub line: usize,
    /// In characters.
    pub column: usize,
}

impl Source {
    pub fn new(text: String) -> Self {
        let breaks = text.match_indices('\n').map(|(place, _)| place + 1);
        let counts = text.as_bytes().chunks(STRIDE).scan(0, |before, chunk| {
            let so_far = *before;
            *before += begun(chunk);
            Some(so_far)
        });
        Self {
            lines: std::iter::once(0).chain(breaks).collect(),
            chars: counts.collect(),
            text,
        }
    }

    /// Where an offset is. One inside a character is behind it, one beyond the text at its end.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.lines.partition_point(|begin| *begin <= offset);
        let begin = self.lines.get(line.saturating_sub(1)).copied();
        let column = self.chars_before(offset) - self.chars_before(begin.unwrap_or(0));
        Position {
            line,
            column: column + 1,
        }
    }

    fn chars_before(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        let counted = (offset / STRIDE).min(self.chars.len().saturating_sub(1));
        let rest = self.text.as_bytes().get(counted * STRIDE..offset);
        self.chars.get(counted).unwrap_or(&0) + begun(rest.unwrap_or_default())
    }
}

/// How many characters begin in these bytes of UTF-8.
fn begun(bytes: &[u8]) -> usize {
    let goes_on = |byte: &u8| byte & 0b1100_0000 == 0b1000_0000;
    bytes.iter().filter(|byte| !goes_on(byte)).count()
}

/// The offset of a line and a column of bytes, both from 1, in `text`.
pub fn offset(text: &str, line: usize, column: usize) -> usize {
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1));
    let begin: usize = lines.map(str::len).sum();
    (begin + column.saturating_sub(1)).min(text.len())
}
