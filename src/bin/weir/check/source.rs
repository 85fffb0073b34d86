//! A file's text, and which line is where in it.

/// A text whose places are byte offsets.
pub struct Source {
    pub text: String,
    /// Where each line begins; the first at 0.
    lines: Vec<usize>,
}

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
        Self {
            lines: std::iter::once(0).chain(breaks).collect(),
            text,
        }
    }

    /// Where an offset is. One beyond the text is at its end.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.lines.partition_point(|begin| *begin <= offset);
        let begin = self.lines.get(line.saturating_sub(1)).copied();
        let before = self.text.get(begin.unwrap_or(0)..offset);
        Position {
            line,
            column: before.map_or(0, |before| before.chars().count()) + 1,
        }
    }
}

/// The offset of a line and a column of bytes, both from 1, in `text`.
pub fn offset(text: &str, line: usize, column: usize) -> usize {
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1));
    let begin: usize = lines.map(str::len).sum();
    (begin + column.saturating_sub(1)).min(text.len())
}
