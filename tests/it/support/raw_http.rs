//! HTTP by hand, for requests that no client library would send.

use super::TestApp;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Longer than any of the service's own time limits.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Sends bytes, and nothing more, and returns the status and the body of the answer.
pub async fn exchange(app: &TestApp, bytes: Vec<u8>) -> (u16, Value) {
    let address = app.origin.trim_start_matches("http://").to_owned();
    let exchange = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(ANSWER_WITHIN)).unwrap();
        stream.write_all(&bytes).unwrap();
        read_answer(&mut stream)
    });
    exchange.await.unwrap()
}

/// Sends bytes, and returns after how long the service closes the connection that it has answered on.
pub async fn closed_after(app: &TestApp, bytes: Vec<u8>) -> Duration {
    let address = app.origin.trim_start_matches("http://").to_owned();
    let exchange = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(ANSWER_WITHIN)).unwrap();
        stream.write_all(&bytes).unwrap();
        read_answer(&mut stream);
        let answered = Instant::now();
        assert_eq!(stream.read(&mut [0; 1]).expect("an end in time"), 0);
        answered.elapsed()
    });
    exchange.await.unwrap()
}

fn read_answer(stream: &mut TcpStream) -> (u16, Value) {
    let mut text = String::new();
    loop {
        if let Some(answer) = parse(&text) {
            return answer;
        }
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).expect("an answer in time");
        assert!(count > 0, "the connection ended after {text:?}");
        text += std::str::from_utf8(&buffer[..count]).unwrap();
    }
}

fn parse(text: &str) -> Option<(u16, Value)> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}
