//! The port of the double: listening, or refusing connections while the service is down.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::port::Port;
use crate::wire;

/// Builds the router of one connection; the flag, when set, makes the connection end with RST.
pub(super) type NewRouter = Arc<dyn Fn(Arc<AtomicBool>) -> Router + Send + Sync>;

/// A port that is served.
pub(super) struct Line {
    stop: CancellationToken,
    accepting: JoinHandle<()>,
}

impl Line {
    pub(super) fn listen(port: &Port, router: NewRouter) -> io::Result<Self> {
        let listener = port.listen()?;
        let stop = CancellationToken::new();
        Ok(Self { accepting: tokio::spawn(accept(listener, router, stop.clone())), stop })
    }

    /// Refuses connections, and ends those that are open.
    pub(super) async fn cut(self) {
        self.stop.cancel();
        // A panic of the accepting task has been printed already; the port is free either way.
        let _ = self.accepting.await;
    }
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
