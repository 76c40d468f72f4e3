//! The gateway's websocket: frames in, frames out, closing and dropping.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::Discord;
use super::gateway::ToClient;

/// Serves one client until it or we go.
pub(super) async fn serve(discord: Discord, stream: TcpStream) {
    let (mut version, mut readable) = (None, true);
    #[expect(clippy::result_large_err, reason = "tungstenite's callback is shaped like this")]
    let asked = |request: &Request, response: Response| {
        let query = request.uri().query().unwrap_or_default();
        let of = |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        version = of("v").map(str::to_owned);
        // Compressed transport and other encodings are not spoken here; a client may not be told otherwise.
        readable = of("encoding").is_none_or(|encoding| encoding == "json") && of("compress").is_none();
        if readable { Ok(response) } else { Err(refused()) }
    };
    let accepted = tokio_tungstenite::accept_hdr_async(stream, asked).await;
    if !readable {
        discord.change(|state| state.violated("gateway: a client asked for an encoding other than plain JSON"));
    }
    // A client that gave up while shaking hands has nothing to be told.
    let Ok(mut socket) = accepted else { return };
    if version.as_deref() != Some("10") {
        close(&mut socket, 4012, "Invalid API version.").await;
        return;
    }
    let (outgoing, commands) = mpsc::unbounded_channel();
    let (connection, interval_ms) =
        discord.change(|state| (state.gateway.connect(outgoing), state.gateway.heartbeat_interval_ms));
    // A client that is silent for two intervals is gone. Its timers are real, so this one is too: it is about the
    // socket, not about the world's time.
    let patience = Duration::from_millis(interval_ms.saturating_mul(2));
    let code = talk(&discord, connection, &mut socket, commands, patience).await;
    discord.change(|state| {
        let now_ms = state.now_ms();
        state.gateway.disconnect(connection, code, now_ms);
    });
}

fn refused() -> ErrorResponse {
    let mut response = ErrorResponse::new(Some("only encoding=json without compression".into()));
    *response.status_mut() = axum::http::StatusCode::BAD_REQUEST;
    response
}

/// Returns the code that one of both closed with, if either did.
async fn talk(
    discord: &Discord,
    connection: u64,
    socket: &mut WebSocketStream<TcpStream>,
    mut commands: UnboundedReceiver<ToClient>,
    patience: Duration,
) -> Option<u16> {
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                Some(ToClient::Frame(text)) => socket.send(Message::Text(text)).await.ok()?,
                Some(ToClient::Close(code, why)) => {
                    close(socket, code, why).await;
                    return Some(code);
                }
                Some(ToClient::Drop) | None => return None,
            },
            frame = tokio::time::timeout_at(heard + patience, socket.next()) => {
                heard = Instant::now();
                match frame {
                    Ok(Some(Ok(Message::Close(frame)))) => {
                        // Answers the close frame; the client may be gone already.
                        let _ = socket.flush().await;
                        return frame.map(|frame| u16::from(frame.code));
                    }
                    Ok(Some(Ok(Message::Text(text)))) => discord.change(|state| state.gateway_frame(connection, &text)),
                    Ok(Some(Ok(Message::Binary(bytes)))) => {
                        let text = String::from_utf8_lossy(&bytes).into_owned();
                        discord.change(|state| state.gateway_frame(connection, &text));
                    }
                    Ok(Some(Ok(_))) => {}
                    Ok(Some(Err(_)) | None) => return None,
                    Err(_silent) => {
                        close(socket, 4009, "Session timed out.").await;
                        return Some(4009);
                    }
                }
            }
        }
    }
}

async fn close(socket: &mut WebSocketStream<TcpStream>, code: u16, why: &'static str) {
    // A client that is gone cannot be told.
    let _ = socket.close(Some(CloseFrame { code: CloseCode::from(code), reason: why.into() })).await;
    // Reads until the client has answered, so that it sees the code and not a reset.
    let answered = async { while let Some(Ok(_)) = socket.next().await {} };
    let _ = tokio::time::timeout(CLOSE_PATIENCE, answered).await;
}

/// How long a client may take to answer a close frame.
const CLOSE_PATIENCE: Duration = Duration::from_millis(500);
