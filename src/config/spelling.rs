//! What hosts, shells and editors leave around a value or in it.
//!
//! Called by the source of values and by the loader. What is harmless is taken off; docs/configuration.md
//! has the table.

/// The text without white space, byte order mark and one pair of matching quotes around it.
pub(super) fn bare(text: &str) -> &str {
    let text = trim(text);
    let unquoted = ['"', '\''].into_iter().find_map(|quote| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then(|| trim(inner))
    });
    unquoted.unwrap_or(text)
}

fn trim(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}')
}

/// Why the text cannot be what the operator meant, if so. In single quotes `$` stands for itself.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    if text.contains('\u{fffd}') {
        return Err("holds bytes that are not UTF-8; write it as UTF-8");
    }
    if !trim(text).starts_with('\'') && is_placeholder(bare(text)) {
        return Err(
            "names another variable, as `${NAME}`, which nothing replaced on the way; write the value itself \
                    (in a URL `$` is `%24`; elsewhere a value in single quotes may hold it)",
        );
    }
    Ok(())
}

/// `${NAME}` and `$(NAME)` anywhere, or a bare `$NAME`: a password may well hold a `$`.
fn is_placeholder(text: &str) -> bool {
    let holds = |open, close| text.split_once(open).is_some_and(|(_, rest)| rest.contains(close));
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit())
    };
    holds("${", '}') || holds("$(", ')') || text.strip_prefix('$').is_some_and(is_name)
}
