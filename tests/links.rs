//! The links of the documents: what they point to is there, and has the heading that they name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it is surprised"
)]

use std::collections::HashSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

/// What a document has that a link can be about.
#[derive(Default)]
struct Document {
    /// Its headings, as forges name them in links.
    anchors: HashSet<String>,
    /// Where it points to.
    links: Vec<String>,
}

impl Document {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let mut document = Self::default();
        let mut heading = None;
        for event in Parser::new(&text) {
            match (event, &mut heading) {
                (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
                (Event::End(TagEnd::Heading(_)), Some(text)) => {
                    document.anchors.insert(anchor(text));
                    heading = None;
                }
                (Event::Text(part) | Event::Code(part), Some(text)) => text.push_str(&part),
                (Event::Start(Tag::Link { dest_url, .. }), _) => {
                    document.links.push(dest_url.into_string());
                }
                _ => {}
            }
        }
        document
    }
}

/// What forges make of a heading: letters and digits in lower case, and hyphens for blanks.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || "-_ ".contains(*letter))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => assert!(plain.pop(), "{}", path.display()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[test]
fn every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = Command::new("git")
        .args(["ls-files", "*.md"])
        .current_dir(root)
        .output()
        .unwrap();
    let files = String::from_utf8(files.stdout).unwrap();
    let mut broken = String::new();
    let mut followed = 0;
    for file in files.lines() {
        let path = root.join(file);
        for link in Document::read(&path).links {
            if link.contains("://") {
                continue;
            }
            followed += 1;
            let (target, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let target = match target {
                "" => path.clone(),
                target => plain(&path.with_file_name(target)),
            };
            let is_there = target.exists()
                && (fragment.is_empty() || Document::read(&target).anchors.contains(fragment));
            if !is_there {
                broken += &format!("{file}: {link}\n");
            }
        }
    }
    assert!(broken.is_empty(), "\n{broken}");
    assert!(followed > 0, "no document has a link");
}
