//! The port of the double: listening, or refusing connections while the service is down.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::wire;

/// Builds the router of one connection; the flag, when set, makes the connection end with RST.
pub(super) type NewRouter = Arc<dyn Fn(Arc<AtomicBool>) -> Router + Send + Sync>;

/// The state of the port. A bound socket that does not listen refuses connections and keeps the port from others.
pub(super) enum Line {
    Up { stop: CancellationToken, accepting: JoinHandle<()> },
    Down { socket: TcpSocket },
}

impl Line {
    pub(super) fn listen(socket: TcpSocket, router: NewRouter) -> io::Result<Self> {
        let listener = socket.listen(1024)?;
        let stop = CancellationToken::new();
        Ok(Self::Up { accepting: tokio::spawn(accept(listener, router, stop.clone())), stop })
    }
}

pub(super) fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn accept(listener: TcpListener, router: NewRouter, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let reset = Arc::new(AtomicBool::new(false));
        let (router, stop) = (router(reset.clone()), stop.clone());
        tokio::spawn(async move {
            let connection = wire::serve(Connection { stream, reset }, router);
            tokio::select! {
                () = stop.cancelled() => {}
                () = connection => {}
            }
        });
    }
}

/// A connection that can end with RST instead of FIN.
struct Connection {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.reset.load(Ordering::SeqCst) {
            // Should it fail, the client sees FIN: the connection still ends without an answer.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
