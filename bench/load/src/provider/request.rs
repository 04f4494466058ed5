//! Just enough of an HTTP/1.1 parser to know where a request ends and what it asks for.

use crate::response::find;

/// No client of this program has a longer head.
const MOST_BYTES: usize = 64 * 1024;

#[derive(PartialEq, Eq, Debug)]
pub(super) struct Request {
    pub(super) is_get: bool,
    pub(super) target: String,
    /// Whether the connection may be used again.
    pub(super) keep_alive: bool,
}

/// Parses the request at the start of `bytes`, and tells its length. `None`: it is not complete.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, &'static str> {
    let Some(head_end) = find(bytes, b"\r\n\r\n") else {
        return if bytes.len() > MOST_BYTES { Err("a head without an end") } else { Ok(None) };
    };
    let head = std::str::from_utf8(&bytes[..head_end]).map_err(|_| "a head that is no text")?;
    let (line, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1")) = (words.next(), words.next(), words.next())
    else {
        return Err("not an HTTP/1.1 request");
    };
    let mut request =
        Request { is_get: method == "GET", target: target.to_owned(), keep_alive: true };
    let mut body_length = 0_usize;
    for header in headers.lines() {
        let (name, value) = header.split_once(':').unwrap_or((header, ""));
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            body_length = value.parse().map_err(|_| "a content-length that is no number")?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err("a body of unknown length");
        } else if name.eq_ignore_ascii_case("connection") {
            request.keep_alive = !value.eq_ignore_ascii_case("close");
        }
    }
    // A body is read over: nothing here takes one.
    let length = (head_end + 4).saturating_add(body_length);
    Ok((bytes.len() >= length).then_some((request, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_ends_where_it_ends() {
        let get = b"GET /v1/users?limit=2 HTTP/1.1\r\nhost: x\r\n\r\n";
        let patch =
            b"PATCH /v1/users/u HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
        for (bytes, is_get, target, keep_alive) in
            [(&get[..], true, "/v1/users?limit=2", true), (patch, false, "/v1/users/u", false)]
        {
            for end in 0..bytes.len() {
                assert_eq!(parse(&bytes[..end]), Ok(None), "{end}");
            }
            let request = Request { is_get, target: target.to_owned(), keep_alive };
            let two = [bytes, get].concat();
            assert_eq!(parse(&two), Ok(Some((request, bytes.len()))));
        }
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        for bytes in [
            &b"HELO\r\n\r\n"[..],
            b"GET / HTTP/1.0\r\n\r\n",
            b"PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
            b"PUT / HTTP/1.1\r\ncontent-length: few\r\n\r\n",
            &vec![b'x'; MOST_BYTES + 1],
        ] {
            assert!(parse(bytes).is_err());
        }
    }
}
