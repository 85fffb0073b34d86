//! Path templates: the shape of a path, and which of its segments are values.

use std::borrow::Cow;
use std::fmt;

use super::{normal, segments};

/// A path template such as `/users/{id}/orders/{order}`.
///
/// It is compared segment by segment, as bytes, with a path in [`normal`] form. A template that ends in `/`
/// matches only paths that do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// In normal form.
    Literal(Box<[u8]>),
    Capture,
}

/// Why a text is no template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// It does not begin with `/`.
    NoSlash,
    /// No segment is a capture: it would count every request that it matches as one.
    NoCapture,
    /// A brace that is not around a whole segment, or a name that is not `[A-Za-z_][A-Za-z0-9_]*`.
    BadCapture,
    /// Two captures have one name.
    DuplicateCapture,
    /// A character that no path has, or that means something in a glob.
    BadCharacter(char),
}

impl Template {
    /// Reads a template. Literal segments are brought into normal form.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let relative = source.strip_prefix('/').ok_or(TemplateError::NoSlash)?;
        let refused = |character: &char| matches!(character, '?' | '#' | '*');
        if let Some(character) = source.chars().find(refused) {
            return Err(TemplateError::BadCharacter(character));
        }
        let mut names = Vec::new();
        let mut segments = Vec::new();
        for written in relative.split('/') {
            let Some(name) = capture(written)? else {
                let literal = normal(written.as_bytes()).into_owned();
                segments.push(Segment::Literal(literal.into()));
                continue;
            };
            if names.contains(&name) {
                return Err(TemplateError::DuplicateCapture);
            }
            names.push(name);
            segments.push(Segment::Capture);
        }
        if names.is_empty() {
            return Err(TemplateError::NoCapture);
        }
        Ok(Self { segments })
    }

    /// How many segments it captures, at least 1.
    #[must_use]
    pub fn captured(&self) -> usize {
        let captures = self.segments.iter();
        captures
            .filter(|segment| **segment == Segment::Capture)
            .count()
    }

    /// The template with `*`, which no literal holds, for each capture.
    #[must_use]
    pub fn shape(&self) -> Vec<u8> {
        let mut shape = Vec::new();
        for segment in &self.segments {
            shape.push(b'/');
            shape.extend_from_slice(match segment {
                Segment::Literal(literal) => literal,
                Segment::Capture => b"*",
            });
        }
        shape
    }

    /// The captured segments of `path`, in order; `None` when it does not have this shape, or when a
    /// segment that would be captured is empty.
    #[must_use]
    pub fn captures<'a>(&'a self, path: &'a [u8]) -> Option<impl Iterator<Item = &'a [u8]>> {
        if !path.starts_with(b"/") {
            return None;
        }
        let mut found = segments(path);
        let fits = self.segments.iter().all(|segment| {
            found.next().is_some_and(|bytes| match segment {
                Segment::Literal(literal) => **literal == *bytes,
                Segment::Capture => !bytes.is_empty(),
            })
        });
        if !fits || found.next().is_some() {
            return None;
        }
        let pairs = self.segments.iter().zip(segments(path));
        Some(pairs.filter_map(|(segment, bytes)| (*segment == Segment::Capture).then_some(bytes)))
    }
}

/// The name of the capture that `segment` is; `None` for a literal.
fn capture(segment: &str) -> Result<Option<&str>, TemplateError> {
    if !segment.contains(['{', '}']) {
        return Ok(None);
    }
    let name = segment
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .ok_or(TemplateError::BadCapture)?;
    let is_name = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty();
    if is_name {
        Ok(Some(name))
    } else {
        Err(TemplateError::BadCapture)
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: Cow<'_, str> = match self {
            Self::NoSlash => "a path template begins with \"/\"".into(),
            Self::NoCapture => "a path template has a capture such as {id}".into(),
            Self::BadCapture => {
                "a capture is a whole segment such as {id}, its name letters, digits and \"_\""
                    .into()
            }
            Self::DuplicateCapture => "two captures have one name".into(),
            Self::BadCharacter(character) => {
                format!("\"{character}\" has no meaning in a path template").into()
            }
        };
        f.write_str(&text)
    }
}

impl std::error::Error for TemplateError {}
