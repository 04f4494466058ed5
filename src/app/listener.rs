//! The listening sockets, and how they turn new connections away before they are closed. Called by
//! [`super`]; knows nothing of HTTP.
//!
//! A socket that is closed resets connections which the system has accepted and the server has not,
//! and the server drops those that wait for a worker. A load balancer that still sends requests here
//! has sent one by then, and may not send it to another replica.

use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

/// Connections that wait to be accepted: the provider sends bursts.
const BACKLOG: i32 = 4_096;

/// Listens on each of the addresses that `bind` means, of which one has to be free.
pub(super) fn listen(bind: SocketAddr) -> io::Result<Vec<TcpListener>> {
    let (mut listeners, mut failed) = (Vec::new(), None);
    for address in addresses(bind) {
        match listen_on(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// `[::]` means all addresses of both families. It takes IPv4 too, and then `0.0.0.0`, which is
/// tried as well, is in use; a host that keeps the families apart needs both, and one without IPv6
/// has that alone.
fn addresses(bind: SocketAddr) -> Vec<SocketAddr> {
    let ipv4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, bind.port()));
    match bind.ip() {
        // Each would get a free port of its own.
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) if bind.port() == 0 => {
            let has_ipv6 = TcpListener::bind(bind).is_ok();
            vec![if has_ipv6 { bind } else { ipv4 }]
        }
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => vec![bind, ipv4],
        _ => vec![bind],
    }
}

/// Second handles of the listening sockets, which stay open as long as this lives.
pub(super) struct NewConnections(Vec<TcpListener>);

impl NewConnections {
    pub(super) fn of(listeners: &[TcpListener]) -> io::Result<Self> {
        listeners.iter().map(TcpListener::try_clone).collect::<Result<_, _>>().map(Self)
    }

    /// Leaves attempts to connect unanswered from now on. The client's system repeats them after a
    /// second, and is refused if the socket is closed by then: before anything is sent, so that the
    /// client may try another replica. What is connected already goes on.
    #[cfg(target_os = "linux")]
    pub(super) fn hold(&self) {
        for listener in &self.0 {
            if let Err(error) = socket2::SockRef::from(listener).attach_filter(&NO_SYN) {
                tracing::debug!("new connections could not be held back: {error}");
            }
        }
    }

    /// Other systems have no such filter; a connection may be cut there.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn hold(&self) {}
}

/// A program of the kernel's packet filter: drops a segment that has SYN and no ACK, passes others.
#[cfg(target_os = "linux")]
const NO_SYN: [socket2::SockFilter; 5] = {
    use socket2::SockFilter;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    [
        SockFilter::new(0x30, 0, 0, 13), // load the byte of flags in the TCP header
        SockFilter::new(0x54, 0, 0, SYN | ACK), // and
        SockFilter::new(0x15, 0, 1, SYN), // where it is equal, go on, else skip one
        SockFilter::new(0x06, 0, 0, 0),  // return no byte
        SockFilter::new(0x06, 0, 0, u32::MAX), // return all
    ]
};
