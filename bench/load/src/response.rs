//! Where an answer ends, what its status is and what it says. Called by `connection`.

use httparse::{Header, Status};

/// An answer with more of them is refused.
const MOST_HEADERS: usize = 64;

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
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let Status::Complete(head_bytes) = head.parse(bytes).map_err(|_| "not an HTTP answer")? else {
        return Ok(None);
    };
    let status = head.code.unwrap_or_default();
    let (framing, keep_alive) = framing(head.headers, status)?;
    let body = &bytes[head_bytes..];
    let length = match framing {
        Framing::Length(length) => (body.len() >= length).then_some(length),
        Framing::Chunked => chunked_length(body)?,
        Framing::UntilClose => closed.then_some(body.len()),
    };
    Ok(length.map(|length| Answer { status, applied: applied(&body[..length]), keep_alive }))
}

fn framing(headers: &[Header<'_>], status: u16) -> Result<(Framing, bool), &'static str> {
    let mut framing = if status == 204 { Framing::Length(0) } else { Framing::UntilClose };
    let mut keep_alive = true;
    for Header { name, value } in headers {
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            framing = Framing::Length(length.ok_or("a content-length that is no number")?);
        } else if name.eq_ignore_ascii_case("transfer-encoding")
            && value.eq_ignore_ascii_case(b"chunked")
        {
            framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case(b"close") {
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
        let chunk = httparse::parse_chunk_size(&body[at..]);
        let chunk = chunk.map_err(|_| "a chunk size that is no number")?;
        let Status::Complete((line_bytes, size)) = chunk else {
            return Ok(None);
        };
        at += line_bytes + size as usize + 2;
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
