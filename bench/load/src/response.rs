//! Just enough of an HTTP/1.1 parser to know where an answer ends, what its status is and what it says.

/// An answer, as far as a load generator cares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// False when the body names an `outcome` and it is not `applied`.
    pub(crate) applied: bool,
    /// Whether the connection may be used again.
    pub(crate) keep_alive: bool,
}

/// How the end of a body is known.
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// Parses the answer at the start of `bytes`. `None`: it is not complete; `closed` says that nothing follows.
pub(crate) fn parse(bytes: &[u8], closed: bool) -> Result<Option<Answer>, &'static str> {
    let Some(head_end) = find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let status = status(bytes)?;
    let (framing, keep_alive) = framing(&bytes[..head_end], status)?;
    let body = &bytes[head_end + 4..];
    let length = match framing {
        Framing::Length(length) => (body.len() >= length).then_some(length),
        Framing::Chunked => chunked_length(body)?,
        Framing::UntilClose => closed.then_some(body.len()),
    };
    Ok(length.map(|length| Answer { status, applied: applied(&body[..length]), keep_alive }))
}

fn status(bytes: &[u8]) -> Result<u16, &'static str> {
    let digits = bytes
        .strip_prefix(b"HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .ok_or("not an HTTP/1.1 answer")?;
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or("no status in the answer")
}

fn framing(head: &[u8], status: u16) -> Result<(Framing, bool), &'static str> {
    let mut framing = if status == 204 { Framing::Length(0) } else { Framing::UntilClose };
    let mut keep_alive = true;
    for line in head.split(|&byte| byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            framing = Framing::Length(length.ok_or("a content-length that is no number")?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding")
            && value.eq_ignore_ascii_case(b"chunked")
        {
            framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case(b"connection") && value.eq_ignore_ascii_case(b"close") {
            keep_alive = false;
        }
    }
    let keep_alive = keep_alive && !matches!(framing, Framing::UntilClose);
    Ok((framing, keep_alive))
}

/// The length of a chunked body with its framing, once the last chunk is there.
fn chunked_length(body: &[u8]) -> Result<Option<usize>, &'static str> {
    let mut at = 0;
    loop {
        let Some(line_length) = find(&body[at..], b"\r\n") else {
            return Ok(None);
        };
        let line = &body[at..at + line_length];
        let digits = line.split(|&byte| byte == b';').next().unwrap_or(line).trim_ascii();
        let size = std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let size = size.ok_or("a chunk size that is no number")?;
        at += line_length + 2 + size + 2;
        if at > body.len() {
            return Ok(None);
        }
        if size == 0 {
            return Ok(Some(at));
        }
    }
}

fn applied(body: &[u8]) -> bool {
    match find(body, b"\"outcome\":") {
        Some(at) => body[at + 10..].trim_ascii_start().starts_with(b"\"applied\""),
        None => true,
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"outcome\":\"applied\"}";
    const CHUNKED: &[u8] =
        b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n13\r\n{\"outcome\":\"stale\"}\r\n0\r\n\r\n";

    #[test]
    fn every_prefix_is_incomplete_and_the_whole_is_not() {
        for (bytes, status, applied) in [(PLAIN, 200, true), (CHUNKED, 202, false)] {
            for end in 0..bytes.len() {
                assert_eq!(parse(&bytes[..end], false), Ok(None), "{end}");
            }
            assert_eq!(parse(bytes, false), Ok(Some(Answer { status, applied, keep_alive: true })));
        }
    }

    #[test]
    fn a_body_without_length_ends_with_the_connection() {
        let bytes = b"HTTP/1.1 500 Internal Server Error\r\n\r\noh";
        assert_eq!(parse(bytes, false), Ok(None));
        assert_eq!(
            parse(bytes, true),
            Ok(Some(Answer { status: 500, applied: true, keep_alive: false }))
        );
    }

    #[test]
    fn connection_close_is_heeded() {
        let bytes = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(
            parse(bytes, false),
            Ok(Some(Answer { status: 200, applied: true, keep_alive: false }))
        );
    }
}
