//! Cells of a table in CSV: where one ends, where a record does, and what a cell says.
//!
//! Pure. What is quoted may hold commas, line ends and, doubled, quotes (RFC 4180). A quote inside
//! a cell that does not begin with one is a character like any other.

use super::BadLine;

/// Where a byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At the beginning of a cell.
    Beginning,
    /// In a cell that is not quoted, or behind one that is.
    Plain,
    /// In a quoted cell.
    Quoted,
    /// After a quote in a quoted cell: it ends there, unless a second quote follows.
    AfterQuote,
}

impl Place {
    /// Where the byte after this one stands.
    pub(super) const fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Quoted, b'"') => Self::AfterQuote,
            (Self::Quoted, _) | (Self::Beginning | Self::AfterQuote, b'"') => Self::Quoted,
            (_, b',') => Self::Beginning,
            _ => Self::Plain,
        }
    }

    /// Whether commas and line ends belong to the cell.
    pub(super) fn is_quoted(self) -> bool {
        self == Self::Quoted
    }
}

/// The cells of a record as they stand there. Nothing is copied, so that what nobody asks for
/// stays where it is.
pub(super) fn cells(record: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut place = Place::Beginning;
    record.split(move |byte| {
        let ends = *byte == b',' && !place.is_quoted();
        place = place.after(*byte);
        ends
    })
}

/// What a cell says.
pub(super) fn text(cell: &[u8]) -> Result<String, BadLine> {
    let cell = std::str::from_utf8(cell).map_err(|_| BadLine::NotUtf8)?;
    let Some(quoted) = cell.strip_prefix('"') else {
        return Ok(cell.to_owned());
    };
    let quoted = quoted.strip_suffix('"').ok_or(BadLine::Quotes)?;
    if quoted.replace("\"\"", "").contains('"') {
        return Err(BadLine::Quotes);
    }
    Ok(quoted.replace("\"\"", "\""))
}

#[cfg(test)]
mod tests {
    use super::{BadLine, cells, text};

    fn read(record: &str) -> Vec<Result<String, BadLine>> {
        cells(record.as_bytes()).map(text).collect()
    }

    fn all(record: &str) -> Vec<String> {
        read(record).into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn commas_lines_and_quotes_inside_quotes_belong_to_the_cell() {
        assert_eq!(all("a,b,,d"), ["a", "b", "", "d"]);
        assert_eq!(all("\"a,b\",\"c\nd\",\"\""), ["a,b", "c\nd", ""]);
        assert_eq!(all("\"say \"\"hi\"\", she\",x"), ["say \"hi\", she", "x"]);
        assert_eq!(all("\"\"\"\",x,\"\"\"\""), ["\"", "x", "\""]);
        assert_eq!(all(""), [""]);
        assert_eq!(all(","), ["", ""]);
    }

    #[test]
    fn a_quote_inside_a_plain_cell_is_a_character() {
        assert_eq!(all("5\" nail,b\"\"c"), ["5\" nail", "b\"\"c"]);
    }

    #[test]
    fn what_follows_a_quoted_cell_is_no_part_of_it() {
        for record in ["\"a\"b", "\"a\"b\"", "\"a\" ", "\"", "\"a\"\""] {
            assert_eq!(read(record), [Err(BadLine::Quotes)], "{record}");
        }
        assert_eq!(read("\"a\"b,c").len(), 2);
    }

    #[test]
    fn a_cell_that_is_no_text_is_told() {
        assert_eq!(text(b"\xff"), Err(BadLine::NotUtf8));
    }
}
