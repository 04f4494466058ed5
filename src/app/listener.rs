//! The listening socket, and how it turns new connections away before it is closed. Called by
//! [`super`]; knows nothing of HTTP.
//!
//! A socket that is closed resets connections which the system has accepted and the server has not,
//! and the server drops those that wait for a worker. A load balancer that still sends requests here
//! has sent one by then, and may not send it to another replica.

use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

/// Connections that wait to be accepted: the provider sends bursts.
const BACKLOG: i32 = 4_096;

/// Listens on `bind`. `[::]` means all addresses of both families, whatever the host's setting for
/// such sockets is; on a host without IPv6 it means those of IPv4.
pub(super) fn listen(bind: SocketAddr) -> io::Result<TcpListener> {
    match listen_on(bind) {
        Err(error) if is_all_of_ipv6(bind) && lacks_family(&error) => {
            listen_on((Ipv4Addr::UNSPECIFIED, bind.port()).into())
        }
        listener => listener,
    }
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if is_all_of_ipv6(address) {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn is_all_of_ipv6(address: SocketAddr) -> bool {
    address.ip() == Ipv6Addr::UNSPECIFIED
}

fn lacks_family(error: &io::Error) -> bool {
    let no_family = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    error.raw_os_error() == Some(no_family) || error.kind() == io::ErrorKind::AddrNotAvailable
}

/// A second handle of the listening socket, which stays open as long as this lives.
pub(super) struct NewConnections(TcpListener);

impl NewConnections {
    pub(super) fn of(listener: &TcpListener) -> io::Result<Self> {
        listener.try_clone().map(Self)
    }

    /// Leaves attempts to connect unanswered from now on. The client's system repeats them after a
    /// second, and is refused if the socket is closed by then: before anything is sent, so that the
    /// client may try another replica. What is connected already goes on.
    #[cfg(target_os = "linux")]
    pub(super) fn hold(&self) {
        if let Err(error) = socket2::SockRef::from(&self.0).attach_filter(&NO_SYN) {
            tracing::debug!("new connections could not be held back: {error}");
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

#[cfg(test)]
mod tests {
    use super::listen;
    use std::io::ErrorKind;
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};

    #[test]
    fn all_addresses_are_those_of_both_families_on_one_port() {
        let listener = listen((Ipv6Addr::UNSPECIFIED, 0).into()).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        if listener.local_addr().unwrap().is_ipv6() {
            assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_ok());
        }
    }

    #[test]
    fn a_port_that_another_process_has_in_one_family_is_in_use() {
        for taken in [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), (Ipv6Addr::LOCALHOST, 0).into()] {
            // A host may lack the family.
            let Ok(other) = listen(taken) else { continue };
            let port = other.local_addr().unwrap().port();
            let result = listen((Ipv6Addr::UNSPECIFIED, port).into());
            assert_eq!(result.unwrap_err().kind(), ErrorKind::AddrInUse, "{taken}");
        }
    }
}
