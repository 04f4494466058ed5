//! Reads a file record by record: lines, or the rows of a CSV table.
//!
//! Called by the import. A record is named by the physical line on which it begins. No more than
//! one record is in memory, whatever the file holds, which is why `csv_core` is driven directly.
//! Nothing here knows what a record means.

use super::BadLine;
use csv_core::ReadRecordResult;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read};

/// In bytes: far more than any user has.
pub(super) const LONGEST_RECORD: usize = 1 << 20;

/// Cells of a row: far more than any export has.
const MOST_CELLS: usize = 1 << 16;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

pub(super) struct Records<R> {
    input: BufReader<R>,
    csv: csv_core::Reader,
    pub(super) bytes_read: u64,
    /// The line that begins next, from 1.
    next_line: u64,
    last: Record,
    put_back: bool,
}

/// Only the beginning of a record that is too long.
#[derive(Clone, Default)]
pub(super) struct Record {
    /// The line on which it begins.
    pub(super) line: u64,
    pub(super) fault: Option<BadLine>,
    /// Kept from record to record; the last one has the first `length` bytes.
    buffer: Vec<u8>,
    length: usize,
    /// Where cells end in `buffer`; the last record has the first `width`.
    ends: Vec<usize>,
    width: usize,
}

impl Record {
    /// A line as it stands there, or the cells of a row without what separates them.
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    pub(super) const fn width(&self) -> usize {
        self.width
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        self.ends.iter().take(self.width).map(move |end| {
            let cell = self.buffer.get(begin..*end).unwrap_or_default();
            begin = *end;
            cell
        })
    }

    fn begin(&mut self, line: u64) {
        (self.line, self.fault, self.length, self.width) = (line, None, 0, 0);
    }

    /// Makes room for more of a row. The rest of one that is too long overwrites its beginning.
    fn make_room(&mut self) {
        if self.buffer.len() > LONGEST_RECORD {
            self.fault = Some(BadLine::TooLong);
            (self.length, self.width) = (0, 0);
        } else {
            let room = self.buffer.len().saturating_mul(2).clamp(1 << 10, LONGEST_RECORD + 1);
            self.buffer.resize(room, 0);
        }
    }

    /// Likewise for more cells, which need no byte of a row but what separates them.
    fn make_room_for_cells(&mut self) {
        if self.ends.len() >= MOST_CELLS {
            self.fault = Some(BadLine::TooLong);
            (self.length, self.width) = (0, 0);
        } else {
            let room = self.ends.len().saturating_mul(2).clamp(32, MOST_CELLS);
            self.ends.resize(room, 0);
        }
    }
}

impl<R: Read> Records<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input: BufReader::new(input),
            csv: csv_core::Reader::new(),
            bytes_read: 0,
            next_line: 1,
            last: Record::default(),
            put_back: false,
        }
    }

    /// The line on which the last record begins, or the one that could not be read.
    pub(super) const fn line(&self) -> u64 {
        self.last.line
    }

    /// The first line that is neither blank nor a comment.
    pub(super) fn first(&mut self) -> io::Result<Option<&Record>> {
        loop {
            match self.next(false)? {
                Some(record) if record.bytes().starts_with(b"#") => {}
                found => break Ok(found.is_some().then_some(&self.last)),
            }
        }
    }

    /// Makes the last line the next record.
    pub(super) fn put_back(&mut self) {
        self.put_back = true;
    }

    /// The next line, or row of a table, that is not blank.
    pub(super) fn next(&mut self, is_table: bool) -> io::Result<Option<&Record>> {
        if std::mem::take(&mut self.put_back) {
            return Ok(Some(&self.last));
        }
        while if is_table { self.read_row() } else { self.read_line() }? {
            let is_blank =
                self.last.width <= 1 && self.last.bytes().iter().all(u8::is_ascii_whitespace);
            if self.last.fault.is_some() || !is_blank {
                return Ok(Some(&self.last));
            }
        }
        Ok(None)
    }

    /// Returns whether there was a line.
    fn read_line(&mut self) -> io::Result<bool> {
        let record = &mut self.last;
        record.begin(self.next_line);
        record.buffer.clear();
        let limit = u64::try_from(LONGEST_RECORD + 1).unwrap_or(u64::MAX);
        let mut taken = self.input.by_ref().take(limit).read_until(b'\n', &mut record.buffer)?;
        let is_whole = record.buffer.pop_if(|byte| *byte == b'\n').is_some();
        if !is_whole && record.buffer.len() > LONGEST_RECORD {
            record.fault = Some(BadLine::TooLong);
            taken += self.input.skip_until(b'\n')?;
        }
        if record.line == 1 && record.buffer.starts_with(BYTE_ORDER_MARK) {
            record.buffer.drain(..BYTE_ORDER_MARK.len());
        }
        record.buffer.pop_if(|byte| *byte == b'\r');
        record.length = record.buffer.len();
        self.next_line += 1;
        self.bytes_read += u64::try_from(taken).unwrap_or(0);
        Ok(taken > 0)
    }

    /// Returns whether there was a row.
    fn read_row(&mut self) -> io::Result<bool> {
        self.skip_line_ends()?;
        self.last.begin(self.next_line);
        loop {
            let chunk = match self.input.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            // At the end of the file, a line end closes every cell but a quoted one.
            let is_end = chunk.is_empty();
            let input = if is_end { b"\n".as_slice() } else { chunk };
            let record = &mut self.last;
            let (result, taken, written, ended) = self.csv.read_record(
                input,
                record.buffer.get_mut(record.length..).unwrap_or_default(),
                record.ends.get_mut(record.width..).unwrap_or_default(),
            );
            record.length += written;
            record.width += ended;
            if !is_end {
                self.consume(taken);
            }
            match result {
                ReadRecordResult::Record => return Ok(true),
                ReadRecordResult::InputEmpty if is_end => break,
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.last.make_room(),
                ReadRecordResult::OutputEndsFull => self.last.make_room_for_cells(),
                ReadRecordResult::End => return Ok(false),
            }
        }
        let is_open = self.last.length > 0;
        if is_open {
            self.last.fault = Some(BadLine::NeverClosed);
            self.csv.reset();
        }
        Ok(is_open)
    }

    /// So that a record is named by the line of its first cell, and not by a blank one before it.
    fn skip_line_ends(&mut self) -> io::Result<()> {
        loop {
            let chunk = match self.input.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            let blank = chunk.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if blank == 0 {
                return Ok(());
            }
            self.consume(blank);
        }
    }

    fn consume(&mut self, count: usize) {
        let taken = self.input.buffer().iter().take(count);
        let lines = taken.filter(|byte| **byte == b'\n').count();
        self.next_line += u64::try_from(lines).unwrap_or(0);
        self.bytes_read += u64::try_from(count).unwrap_or(0);
        self.input.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::{BadLine, LONGEST_RECORD, Records};
    use std::io::{self, BufReader, Read};

    /// Every record with its line and cells, a long one shortened.
    fn records(input: impl Read, is_table: bool) -> Vec<(u64, String, Option<BadLine>)> {
        let mut records = Records::new(input);
        let mut all = Vec::new();
        while let Some(record) = records.next(is_table).unwrap() {
            let cells: Vec<&[u8]> = record.cells().collect();
            let bytes = if is_table { cells.join(b"|".as_slice()) } else { record.bytes().into() };
            let text: String = String::from_utf8_lossy(&bytes).chars().take(20).collect();
            all.push((record.line, text, record.fault.clone()));
        }
        all
    }

    fn good(line: u64, text: &str) -> (u64, String, Option<BadLine>) {
        (line, text.to_owned(), None)
    }

    #[test]
    fn a_row_of_more_cells_than_any_export_has_is_too_long_and_the_next_one_is_read() {
        let text = format!("{}\na,b\n", ",".repeat(LONGEST_RECORD));
        let read = records(text.as_bytes(), true);
        assert_eq!(read.first().unwrap().2, Some(BadLine::TooLong));
        assert_eq!(read.last(), Some(&good(2, "a|b")));
    }

    #[test]
    fn lines_and_rows_are_named_by_the_line_on_which_they_begin() {
        let line_ends = "\u{feff}one\r\n\n  \r\ntwo\nthree";
        let quoted = "a,\"x\ny\"\nb\n";
        let both = [false, true].as_slice();
        for (text, tables, expected) in [
            (line_ends, both, [good(1, "one"), good(4, "two"), good(5, "three")].as_slice()),
            ("", both, &[]),
            ("\n\n", both, &[]),
            ("\u{feff}", both, &[]),
            // A quoted cell holds line ends only in a table.
            (quoted, &[true], &[good(1, "a|x\ny"), good(3, "b")]),
            (quoted, &[false], &[good(1, "a,\"x"), good(2, "y\""), good(3, "b")]),
            ("5\" nail,x\nb", &[true], &[good(1, "5\" nail|x"), good(2, "b")]),
            // Commas, lines and quotes inside quotes belong to the cell.
            ("a,b,,d", &[true], &[good(1, "a|b||d")]),
            ("\"a,b\",\"c\nd\",\"\"", &[true], &[good(1, "a,b|c\nd|")]),
            ("\"say \"\"hi\"\", she\",x", &[true], &[good(1, "say \"hi\", she|x")]),
            (",", &[true], &[good(1, "|")]),
        ] {
            for is_table in tables {
                assert_eq!(records(text.as_bytes(), *is_table), expected, "{text:?}, {is_table}");
            }
        }
    }

    #[test]
    fn a_cell_that_is_never_closed_is_told_and_not_taken_for_a_record() {
        let found = records("a,b\nc,\"d\ne,f\n".as_bytes(), true);
        assert_eq!(found[0], good(1, "a|b"));
        assert_eq!((found[1].0, &found[1].2, found.len()), (2, &Some(BadLine::NeverClosed), 2));
    }

    #[test]
    fn a_record_that_is_too_long_is_passed_over_and_the_next_is_read() {
        let fits = "x".repeat(LONGEST_RECORD);
        let text = format!("{fits}\n{fits}x\nlast");
        for is_table in [false, true] {
            let found = records(text.as_bytes(), is_table);
            let faults: Vec<_> = found.iter().map(|record| (record.0, record.2.clone())).collect();
            assert_eq!(faults, [(1, None), (2, Some(BadLine::TooLong)), (3, None)]);
            assert_eq!(found[2].1, "last");
        }
    }

    #[test]
    fn it_does_not_matter_in_which_pieces_the_input_comes() {
        struct Drip<'a>(&'a [u8]);
        impl Read for Drip<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let one = buffer.len().min(1);
                self.0.read(&mut buffer[..one])
            }
        }
        let text = "a,\"x\r\ny\"\"\"\r\nb";
        let whole = records(text.as_bytes(), true);
        assert_eq!(whole, [good(1, "a|x\r\ny\""), good(3, "b")]);
        assert_eq!(records(BufReader::with_capacity(1, Drip(text.as_bytes())), true), whole);
    }

    #[test]
    fn comments_stand_only_above_the_first_line() {
        let text = "# exported\r\n\n#too\nid\n#1,x\n";
        let mut records = Records::new(text.as_bytes());
        assert_eq!(records.first().unwrap().unwrap().bytes(), b"id");
        records.put_back();
        assert_eq!(records.next(true).unwrap().unwrap().line, 4);
        assert_eq!(records.next(true).unwrap().unwrap().cells().count(), 2);
        assert!(records.next(true).unwrap().is_none());
    }
}
