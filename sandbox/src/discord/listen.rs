//! Listeners that can vanish and come back at the same address, as a service does in an outage.

use std::future::Future;
use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::port::Port;

/// How long to wait, in real time, before listening is tried again when the system refused.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(10);

/// One listening address. While it is closed, connecting is refused and every connection there was is cut.
#[derive(Debug)]
pub(super) struct Door {
    pub address: SocketAddr,
    wanted: watch::Sender<bool>,
    open: watch::Receiver<bool>,
}

impl Door {
    /// Binds a free port of the loopback and hands every connection to `serve`.
    pub async fn open<S, F>(serve: S) -> anyhow::Result<Self>
    where
        S: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let port = Port::take().context("taking a port of the loopback")?;
        let (listener, address) = (port.listen()?, port.address());
        let (wanted, wanted_seen) = watch::channel(true);
        let (said, open) = watch::channel(true);
        tokio::spawn(keep(listener, port, serve, wanted_seen, said));
        Ok(Self { address, wanted, open })
    }

    /// Opens or closes, and returns once that is so.
    pub async fn set_open(&self, wanted: bool) {
        self.wanted.send_replace(wanted);
        // The keeper only ends with the runtime; then nobody waits here any more.
        let _ = self.open.clone().wait_for(|open| *open == wanted).await;
    }
}

async fn keep<S, F>(
    first: TcpListener,
    port: Port,
    serve: S,
    mut wanted: watch::Receiver<bool>,
    said: watch::Sender<bool>,
) where
    S: Fn(TcpStream) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut listener = Some(first);
    let mut connections = JoinSet::new();
    loop {
        let Some(open) = &listener else {
            said.send_replace(false);
            if wanted.wait_for(|wanted| *wanted).await.is_err() {
                return;
            }
            match port.listen() {
                Ok(bound) => listener = Some(bound),
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
            said.send_replace(listener.is_some());
            continue;
        };
        tokio::select! {
            closing = async { wanted.wait_for(|wanted| !*wanted).await.map(drop) } => {
                if closing.is_err() {
                    return;
                }
                listener = None;
                connections.shutdown().await;
            }
            accepted = open.accept() => {
                if let Ok((stream, _)) = accepted {
                    // Small answers must not wait for a delayed acknowledgement.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(serve(stream));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
