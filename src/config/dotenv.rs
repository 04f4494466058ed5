//! Reads dotenv files: lines of `NAME=value`, with `export`, quotes and comments as Compose has them.
//!
//! Called by [`super::ConfigSource`], and by `dev` for a file of its own. Tools disagree about `$`, and
//! about quotes and backslashes inside an unquoted value, so what cannot be replaced, or would be read
//! in two ways, is refused: half a password is worse than none. No message repeats a value.

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

pub struct DotenvValue {
    pub text: String,
    /// Whether it stood in single quotes, so that each `$` stands for itself.
    pub is_literal: bool,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct DotenvError {
    line: usize,
    what: &'static str,
}

const NO_ASSIGNMENT: &str = "is not `NAME=value`";
const OPEN_QUOTE: &str = "begins a value with a quote that is never closed";
const AFTER_QUOTE: &str = "has text after the closing quote of a value";
const INNER_QUOTE: &str = "has a quote or a backslash inside an unquoted value, which some tools take off and others do not; \
                           put the whole value into quotes";
const DOLLAR: &str = "has a `$` that some tools replace and others do not, and no variable of that name is known; \
                      put the value into single quotes, where it stands for itself";

/// `outside` knows the variables that do not stand in the file. A value that is read in two ways is
/// refused where `is_ours` knows its name, and left out else.
pub fn parse(
    text: &str,
    is_ours: impl Fn(&str) -> bool,
    outside: impl Fn(&str) -> Option<String>,
) -> Result<HashMap<String, DotenvValue>, DotenvError> {
    let mut values: HashMap<String, DotenvValue> = HashMap::new();
    let mut lines = text.trim_start_matches('\u{feff}').lines().zip(1..);
    while let Some((text, line)) = lines.next() {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let error = |what| DotenvError { line, what };
        let (name, value) = assignment(text).ok_or(error(NO_ASSIGNMENT))?;
        let known = |name: &str| match values.get(name) {
            Some(value) => Some(value.text.clone()),
            None => outside(name),
        };
        let mut more = lines.by_ref().map(|(text, _)| text);
        let is_literal = value.starts_with('\'');
        let text = if let Some(rest) = value.strip_prefix('\'') {
            Ok(quoted(rest, '\'', &mut more).map_err(error)?)
        } else if let Some(rest) = value.strip_prefix('"') {
            expand(&quoted(rest, '"', &mut more).map_err(error)?, true, known).ok_or(DOLLAR)
        } else {
            unquoted(value).and_then(|value| expand(value, false, known).ok_or(DOLLAR))
        };
        match text {
            Ok(text) => {
                values.insert(name.to_owned(), DotenvValue { text, is_literal });
            }
            Err(what) if is_ours(name) => return Err(error(what)),
            // The file is shared with programs that may read it their way.
            Err(_) => {}
        }
    }
    Ok(values)
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim_start();
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let is_name = starts && name.chars().all(|character| is_word(character) || character == '.');
    is_name.then(|| (name, value.trim_start()))
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// What stands before the closing quote, which may be on a later line.
fn quoted<'a>(
    first: &str,
    quote: char,
    more: &mut impl Iterator<Item = &'a str>,
) -> Result<String, &'static str> {
    let mut text = first.to_owned();
    loop {
        let mut escaped = false;
        let closing = text.find(|character| {
            let closes = character == quote && !escaped;
            escaped = quote == '"' && character == '\\' && !escaped;
            closes
        });
        if let Some((inner, after)) = closing.and_then(|place| text.split_at_checked(place)) {
            let after = after.strip_prefix(quote).unwrap_or_default().trim_start();
            let is_end = after.is_empty() || after.starts_with('#');
            return if is_end { Ok(inner.to_owned()) } else { Err(AFTER_QUOTE) };
        }
        text.push('\n');
        text += more.next().ok_or(OPEN_QUOTE)?;
    }
}

/// Without the comment, which starts the value, or has white space before it. Of backslashes only `\$`
/// is read alike.
fn unquoted(value: &str) -> Result<&str, &'static str> {
    let mut before = ' ';
    let comment = value.find(|character: char| {
        let starts = character == '#' && before.is_whitespace();
        before = character;
        starts
    });
    let value = comment.and_then(|place| value.get(..place)).unwrap_or(value).trim_end();
    let is_plain = !value.replace("\\$", "").contains(['"', '\'', '\\']);
    if is_plain { Ok(value) } else { Err(INNER_QUOTE) }
}

/// With `\$` and, in double quotes, the other escapes taken back, and variables replaced; `None` where
/// one is not known.
fn expand(text: &str, is_quoted: bool, known: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match (character, rest.peek()) {
            ('\\', Some('$')) => out.extend(rest.next()),
            ('\\', Some('n')) if is_quoted => out.extend(rest.next().map(|_| '\n')),
            ('\\', Some('r')) if is_quoted => out.extend(rest.next().map(|_| '\r')),
            ('\\', Some('t')) if is_quoted => out.extend(rest.next().map(|_| '\t')),
            ('\\', Some('"' | '\\')) if is_quoted => out.extend(rest.next()),
            ('$', Some('$')) => return None,
            ('$', Some('{')) => {
                rest.next();
                let name = word(&mut rest);
                rest.next_if_eq(&'}')?;
                out += &known(&name)?;
            }
            ('$', Some(first)) if first.is_ascii_alphabetic() || *first == '_' => {
                out += &known(&word(&mut rest))?;
            }
            _ => out.push(character),
        }
    }
    Some(out)
}

fn word(rest: &mut Peekable<Chars<'_>>) -> String {
    std::iter::from_fn(|| rest.next_if(|character| is_word(*character))).collect()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_other_programs_read_their_way_is_left_to_them() {
        let text = "TITLE=Ada's app\nKEY={\"a\":1}\nPATTERN=$$x\\d+\nPORT=1\n";
        let values = parse(text, |name| name == "PORT", |_| None).unwrap();
        assert_eq!(values.keys().collect::<Vec<_>>(), ["PORT"]);
        for line in text.lines().take(3) {
            assert!(parse(line, |_| true, |_| None).is_err(), "{line}");
        }
    }
}
