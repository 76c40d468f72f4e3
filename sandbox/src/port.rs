//! A port of the loopback that stays ours, whether somebody listens on it or not: in an outage connections are refused,
//! and no other program can take the port meanwhile.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// As many connections as may wait to be accepted.
const BACKLOG: u32 = 1024;

/// The port. A bound socket that never listens holds it; listeners share it (`SO_REUSEPORT`).
#[derive(Debug)]
pub struct Port {
    _holder: TcpSocket,
    address: SocketAddr,
}

impl Port {
    /// Takes a free port of 127.0.0.1.
    ///
    /// # Errors
    /// None can be had.
    pub fn take() -> io::Result<Self> {
        let holder = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = holder.local_addr()?;
        Ok(Self { _holder: holder, address })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens on it, until the listener is dropped.
    ///
    /// # Errors
    /// The system refuses.
    pub fn listen(&self) -> io::Result<TcpListener> {
        bound(self.address)?.listen(BACKLOG)
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn it_refuses_while_nobody_listens_and_comes_back_at_the_same_address() {
        let port = Port::take().expect("a port");
        let refused = |error: io::Error| assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        TcpStream::connect(port.address()).await.map(|_| ()).map_err(refused).expect_err("nobody listens yet");
        for _ in 0..3 {
            let listener = port.listen().expect("a listener");
            let (met, _) = tokio::join!(TcpStream::connect(port.address()), listener.accept());
            met.expect("a connection");
            assert!(std::net::TcpListener::bind(port.address()).is_err(), "others cannot take it");
            drop(listener);
            TcpStream::connect(port.address()).await.map(|_| ()).map_err(refused).expect_err("nobody listens any more");
            assert!(std::net::TcpListener::bind(port.address()).is_err(), "nor now");
        }
    }
}
