//! A file in pieces: one record at a time, none longer than a bound.
//!
//! The one place that reads. A record is a line, or in a table several of them where a quoted cell
//! holds line ends; it is named by the line on which it begins. Whatever a file holds, no more than
//! one record of it is in memory.

use super::BadLine;
use super::cells::Place;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read};

/// The longest record that is taken in: far more than any user has.
pub(super) const LONGEST_RECORD: usize = 1 << 20;

/// What some programs put before text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The records of a file.
pub(super) struct Records<R> {
    input: BufReader<R>,
    /// The bytes that were taken from the input.
    pub(super) bytes_read: u64,
    /// The line that begins next, counted from one.
    next_line: u64,
    last: Record,
    /// The last record is to be given once more.
    put_back: bool,
}

/// A record; only its beginning where it is too long.
pub(super) struct Record {
    /// The line on which it begins.
    pub(super) line: u64,
    pub(super) bytes: Vec<u8>,
    /// Why it cannot be used, whatever it says.
    pub(super) fault: Option<BadLine>,
}

impl<R: Read> Records<R> {
    pub(super) fn new(input: R) -> Self {
        let last = Record { line: 0, bytes: Vec::new(), fault: None };
        Self { input: BufReader::new(input), bytes_read: 0, next_line: 1, last, put_back: false }
    }

    /// The line on which the last record begins, or the one that could not be read whole.
    pub(super) const fn line(&self) -> u64 {
        self.last.line
    }

    /// The first line that is neither blank nor a comment.
    pub(super) fn first(&mut self) -> io::Result<Option<&Record>> {
        loop {
            match self.next(false)? {
                Some(record) if record.bytes.starts_with(b"#") => {}
                found => break Ok(found.is_some().then_some(&self.last)),
            }
        }
    }

    /// Makes the last record the next one.
    pub(super) fn put_back(&mut self) {
        self.put_back = true;
    }

    /// The next record that is not blank; where there are `quotes`, line ends in them are its own.
    pub(super) fn next(&mut self, quotes: bool) -> io::Result<Option<&Record>> {
        if std::mem::take(&mut self.put_back) {
            return Ok(Some(&self.last));
        }
        while self.read(quotes)? {
            let blank = self.last.bytes.iter().all(u8::is_ascii_whitespace);
            if self.last.fault.is_some() || !blank {
                return Ok(Some(&self.last));
            }
        }
        Ok(None)
    }

    /// Reads one record, and returns whether there was one.
    fn read(&mut self, quotes: bool) -> io::Result<bool> {
        let record = &mut self.last;
        *record =
            Record { line: self.next_line, bytes: std::mem::take(&mut record.bytes), fault: None };
        record.bytes.clear();
        let (mut place, mut began) = (Place::Beginning, false);
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                if place.is_quoted() {
                    record.fault = Some(BadLine::NeverClosed);
                }
                break;
            }
            began = true;
            let end = chunk.iter().position(|byte| {
                self.next_line += u64::from(*byte == b'\n');
                let ends = *byte == b'\n' && !place.is_quoted();
                if quotes {
                    place = place.after(*byte);
                }
                ends
            });
            let piece = end.and_then(|end| chunk.get(..end)).unwrap_or(chunk);
            if record.fault.is_none() {
                let room = LONGEST_RECORD - record.bytes.len();
                record.bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
                record.fault = (piece.len() > room).then_some(BadLine::TooLong);
            }
            let taken = end.map_or(chunk.len(), |end| end + 1);
            self.input.consume(taken);
            self.bytes_read = self.bytes_read.saturating_add(u64::try_from(taken).unwrap_or(0));
            if end.is_some() {
                break;
            }
        }
        if record.line == 1 && record.bytes.starts_with(BYTE_ORDER_MARK) {
            record.bytes.drain(..BYTE_ORDER_MARK.len());
        }
        if record.bytes.ends_with(b"\r") {
            record.bytes.pop();
        }
        Ok(began)
    }
}

#[cfg(test)]
mod tests {
    use super::{BadLine, LONGEST_RECORD, Records};
    use std::io::{self, BufReader, Read};

    /// Every record with its line; a long one shortened.
    fn records(input: impl Read, quotes: bool) -> Vec<(u64, String, Option<BadLine>)> {
        let mut records = Records::new(input);
        let mut all = Vec::new();
        while let Some(record) = records.next(quotes).unwrap() {
            let text: String = String::from_utf8_lossy(&record.bytes).chars().take(20).collect();
            all.push((record.line, text, record.fault.clone()));
        }
        all
    }

    fn good(line: u64, text: &str) -> (u64, String, Option<BadLine>) {
        (line, text.to_owned(), None)
    }

    #[test]
    fn lines_end_in_every_way_and_are_counted_as_they_stand() {
        let text = "\u{feff}one\r\n\n  \r\ntwo\nthree";
        assert_eq!(
            records(text.as_bytes(), true),
            [good(1, "one"), good(4, "two"), good(5, "three")]
        );
        assert_eq!(records("".as_bytes(), true), []);
        assert_eq!(records("\n\n".as_bytes(), true), []);
        assert_eq!(records("\u{feff}".as_bytes(), true), []);
    }

    #[test]
    fn a_quoted_cell_holds_line_ends_only_in_a_table() {
        let text = "a,\"x\ny\"\nb\n";
        assert_eq!(records(text.as_bytes(), true), [good(1, "a,\"x\ny\""), good(3, "b")]);
        let lines = [good(1, "a,\"x"), good(2, "y\""), good(3, "b")];
        assert_eq!(records(text.as_bytes(), false), lines);
        let stray = [good(1, "5\" nail,x"), good(2, "b")];
        assert_eq!(records("5\" nail,x\nb".as_bytes(), true), stray);
    }

    #[test]
    fn a_cell_that_is_never_closed_is_told_and_not_taken_for_a_record() {
        let found = records("a,b\nc,\"d\ne,f\n".as_bytes(), true);
        assert_eq!(found[0], good(1, "a,b"));
        assert_eq!((found[1].0, &found[1].2, found.len()), (2, &Some(BadLine::NeverClosed), 2));
    }

    #[test]
    fn a_record_that_is_too_long_is_passed_over_and_the_next_is_read() {
        let fits = "x".repeat(LONGEST_RECORD);
        let text = format!("{fits}\n{fits}x\nlast");
        let found = records(text.as_bytes(), true);
        let faults: Vec<_> = found.iter().map(|record| (record.0, record.2.clone())).collect();
        assert_eq!(faults, [(1, None), (2, Some(BadLine::TooLong)), (3, None)]);
        assert_eq!(found[2].1, "last");
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
        let text = "\u{feff}a,\"x\r\ny\"\"\"\r\nb";
        let whole = records(text.as_bytes(), true);
        assert_eq!(whole, [good(1, "a,\"x\r\ny\"\"\""), good(3, "b")]);
        assert_eq!(records(BufReader::new(Drip(text.as_bytes())), true), whole);
    }

    #[test]
    fn comments_stand_only_above_the_first_line() {
        let text = "# told\r\n\n#too\nid\n#1,x\n";
        let mut records = Records::new(text.as_bytes());
        assert_eq!(records.first().unwrap().unwrap().bytes, b"id");
        records.put_back();
        assert_eq!(records.next(true).unwrap().unwrap().line, 4);
        assert_eq!(records.next(true).unwrap().unwrap().bytes, b"#1,x");
        assert!(records.next(true).unwrap().is_none());
    }
}
