//! `docs/clerk-facts.md` has a heading for each trap that code and tests cite by number, and no other.

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_cited_trap_has_a_heading_and_every_heading_is_cited() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let facts = std::fs::read_to_string(root.join("docs/clerk-facts.md")).unwrap();
    let headings = facts.lines().filter(|line| line.starts_with("### "));
    let described: BTreeSet<u32> = headings.flat_map(cited).collect();
    let mut used = BTreeSet::new();
    for directory in ["src", "tests", "crates", "bench"] {
        collect(&root.join(directory), &mut used);
    }
    let undescribed: Vec<_> = used.difference(&described).collect();
    let unused: Vec<_> = described.difference(&used).collect();
    assert!(undescribed.is_empty(), "no heading for {undescribed:?}");
    assert!(unused.is_empty(), "nothing cites {unused:?}");
}

/// Adds the numbers in all Rust files below a directory, which may be missing.
fn collect(directory: &Path, numbers: &mut BTreeSet<u32>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, numbers);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            numbers.extend(cited(&std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The numbers after each `trap`: `(trap 4: …)`, `traps 24 and 36`, `trap_28_and_29_…`.
fn cited(text: &str) -> Vec<u32> {
    let words =
        text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut is_list = false;
    let number_of = |word: &str| {
        let number = word.parse().ok().filter(|_| is_list);
        let continues = is_list && (number.is_some() || word == "and");
        is_list = continues || ["trap", "traps", "Trap", "Traps"].contains(&word);
        number
    };
    words.filter_map(number_of).collect()
}
