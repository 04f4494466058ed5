//! A wire to the provider that lets questions through and leaves writes without an answer.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

pub struct Wire {
    pub url: String,
}

impl Wire {
    /// A wire to the API at `url`, which is of this machine.
    pub fn to(url: &str) -> Self {
        let provider = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let own = listener.local_addr().unwrap();
        thread::spawn(move || {
            for service in listener.incoming() {
                let Ok(provider) = TcpStream::connect(&provider) else {
                    return;
                };
                carry(&service.unwrap(), provider);
            }
        });
        Self { url: format!("http://{own}") }
    }
}

/// Carries questions one way and answers the other, until either side hangs up.
fn carry(service: &TcpStream, provider: TcpStream) {
    let (asking, to) = (service.try_clone().unwrap(), provider.try_clone().unwrap());
    thread::spawn(move || forward(asking, to, |bytes| !bytes.starts_with(b"PATCH ")));
    let answered = service.try_clone().unwrap();
    thread::spawn(move || forward(provider, answered, |_| true));
}

/// Copies what comes, and swallows everything from the first piece on that may not pass.
fn forward(mut from: TcpStream, mut to: TcpStream, passes: impl Fn(&[u8]) -> bool) {
    let (mut buffer, mut open) = (vec![0; 65_536], true);
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        open = open && passes(&buffer[..count]);
        if open && to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Both).ok();
}
