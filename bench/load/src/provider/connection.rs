//! A keep-alive connection: one request after the other, until the client has had enough.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::api::Api;
use super::request::{self, Request};

/// Room for a head before the body, which is written first because its length stands in the head.
const HEAD_ROOM: usize = 128;

/// Whatever fails ends the connection: a client that was killed does so in the middle of a page.
pub(super) async fn serve(mut stream: TcpStream, api: Arc<Api>, delay: Duration) {
    if stream.set_nodelay(true).is_ok() {
        converse(&mut stream, &api, delay).await.ok();
    }
}

async fn converse(stream: &mut TcpStream, api: &Api, delay: Duration) -> io::Result<()> {
    let mut received = Vec::new();
    // Reused, so that a page allocates nothing.
    let mut answer = Vec::new();
    while let Some(request) = next(stream, &mut received).await? {
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let start = lay_out(api, &request, &mut answer);
        stream.write_all(&answer[start..]).await?;
        if !request.keep_alive {
            break;
        }
    }
    Ok(())
}

/// The next request; nothing once the client has closed the connection.
async fn next(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<Option<Request>> {
    loop {
        let parsed = request::parse(received)
            .map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))?;
        if let Some((request, length)) = parsed {
            received.drain(..length);
            return Ok(Some(request));
        }
        if stream.read_buf(received).await? == 0 {
            return Ok(None);
        }
    }
}

/// Writes head and body one behind the other and returns where the head begins.
fn lay_out(api: &Api, request: &Request, answer: &mut Vec<u8>) -> usize {
    answer.clear();
    answer.resize(HEAD_ROOM, 0);
    let status = api.answer(request, answer);
    let head = format!(
        "HTTP/1.1 {status} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        reason(status),
        answer.len() - HEAD_ROOM
    );
    let start = HEAD_ROOM - head.len();
    answer[start..HEAD_ROOM].copy_from_slice(head.as_bytes());
    start
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        404 => "Not Found",
        _ => "Unprocessable Entity",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Options;

    #[test]
    fn an_answer_is_a_head_and_a_body_of_the_length_that_it_names() {
        let api = Api::new(&Options::default());
        let mut answer = Vec::new();
        for (target, line) in
            [("/v1/users/count", "HTTP/1.1 200 OK"), ("/", "HTTP/1.1 404 Not Found")]
        {
            let request = Request { is_get: true, target: target.to_owned(), keep_alive: true };
            let start = lay_out(&api, &request, &mut answer);
            let text = std::str::from_utf8(&answer[start..]).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(line), "{head}");
            assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
        }
    }
}
