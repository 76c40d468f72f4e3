//! Serves a router on one connection, and can break that connection the way networks do.

use std::convert::Infallible;
use std::fmt;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

/// A response with this extension never leaves: the connection is closed instead. The request was carried out by then,
/// or was not: that is for the handler that orders the cut.
#[derive(Clone, Copy, Debug)]
pub struct Cut;

impl Cut {
    /// The response that closes the connection.
    pub fn response() -> Response {
        let mut response = ().into_response();
        response.extensions_mut().insert(Cut);
        response
    }
}

#[derive(Debug)]
struct ConnectionCut;

impl fmt::Display for ConnectionCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the double closed this connection on purpose")
    }
}

impl std::error::Error for ConnectionCut {}

/// Serves `router` on `io` until either side closes it.
pub async fn serve<S>(io: S, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut router = router.clone();
        async move {
            let request: Request = request.map(Body::new);
            let answer: Result<Response, Infallible> = Service::call(&mut router, request).await;
            match answer {
                Ok(response) if response.extensions().get::<Cut>().is_some() => Err(ConnectionCut),
                Ok(response) => Ok(response),
                Err(never) => match never {},
            }
        }
    });
    let connection =
        hyper_util::server::conn::auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(io), service).await;
    if let Err(error) = connection {
        tracing::trace!(%error, "a connection to a double ended");
    }
}
