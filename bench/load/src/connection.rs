//! One keep-alive connection with one request in flight. It is opened when first needed and again after the
//! server closed it.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::response::{self, Answer};

const BUFFER_BYTES: usize = 16 * 1024;

pub(crate) struct Connection {
    authority: String,
    stream: Option<TcpStream>,
    /// Holds one answer at a time; reused, so that a request allocates nothing.
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(authority: String) -> Self {
        Self { authority, stream: None, buffer: Vec::with_capacity(BUFFER_BYTES) }
    }

    pub(crate) async fn open(&mut self) -> io::Result<()> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.authority).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Sends a request and waits for its answer. Whatever fails, or is dropped half-way, closes the connection.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.open().await?;
        let mut stream = self.stream.take().ok_or(io::ErrorKind::NotConnected)?;
        stream.write_all(request).await?;
        self.buffer.clear();
        let answer = read_answer(&mut stream, &mut self.buffer).await?;
        if answer.keep_alive {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Answer> {
    loop {
        let closed = stream.read_buf(buffer).await? == 0;
        match response::parse(buffer, closed) {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) if closed => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(None) => {}
            Err(reason) => return Err(io::Error::new(io::ErrorKind::InvalidData, reason)),
        }
    }
}
