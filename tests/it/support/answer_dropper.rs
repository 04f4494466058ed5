//! A TCP proxy to the provider that lets reads through and never answers a write.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

pub struct AnswerDropper {
    pub url: String,
}

impl AnswerDropper {
    /// In front of the API at `url`, which is of this machine.
    pub fn to(url: &str) -> Self {
        let provider = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let own = listener.local_addr().unwrap();
        thread::spawn(move || {
            for service in listener.incoming() {
                let Ok(provider) = TcpStream::connect(&provider) else {
                    return;
                };
                connect(&service.unwrap(), provider);
            }
        });
        Self { url: format!("http://{own}") }
    }
}

/// Copies both ways, until either side hangs up.
fn connect(service: &TcpStream, provider: TcpStream) {
    let (requests, to) = (service.try_clone().unwrap(), provider.try_clone().unwrap());
    thread::spawn(move || copy(requests, to, |bytes| !bytes.starts_with(b"PATCH ")));
    let answers = service.try_clone().unwrap();
    thread::spawn(move || copy(provider, answers, |_| true));
}

/// Copies what comes, and nothing from the first piece on that may not pass.
fn copy(mut from: TcpStream, mut to: TcpStream, passes: impl Fn(&[u8]) -> bool) {
    let (mut buffer, mut open) = (vec![0; 65_536], true);
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        open = open && passes(&buffer[..count]);
        if open && to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Both).ok();
}
