//! Writes a reply to a connection, whole or broken.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::apply::{Reply, Wire};
use crate::fault::{Delivery, Framing};
use crate::outcome::{Answer, words};

/// Whether a connection can carry another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    KeepAlive,
    /// Ended in good order.
    Close,
    /// Torn down: no end-of-stream message of any protocol above TCP.
    Drop,
}

/// Writes a reply; `head_only` for requests whose answer has no body, `close` if the client wants the end.
pub(crate) async fn send<S>(stream: &mut S, reply: &Reply, head_only: bool, close: bool) -> After
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match reply.delivery {
        Delivery::CutBefore | Delivery::LostAnswer => return After::Drop,
        Delivery::Hang => {
            let mut sink = [0_u8; 1024];
            while stream.read(&mut sink).await.is_ok_and(|count| count > 0) {}
            return After::Drop;
        }
        Delivery::Whole | Delivery::CutHalf | Delivery::Drip(_) => {}
    }
    let close = close || reply.framing == Framing::UntilClose;
    let (head, body, close) = match &reply.wire {
        Wire::Raw(bytes) => (Vec::new(), bytes.clone(), true),
        Wire::Answer(answer) => {
            let body = if head_only { Vec::new() } else { framed(&answer.body, reply.framing) };
            (head(answer, reply.framing, close), body, close)
        }
    };
    let sent = match reply.delivery {
        Delivery::CutHalf => {
            let half = body.get(..body.len() / 2).unwrap_or_default();
            // The end must come in the middle, whatever becomes of the writing.
            let _ = write(stream, &[&head, half]).await;
            return After::Drop;
        }
        Delivery::Drip(millis) => drip(stream, &head, &body, Duration::from_millis(millis)).await,
        _ => write(stream, &[&head, &body]).await,
    };
    match (sent, close) {
        (Err(_), _) => After::Drop,
        (Ok(()), true) => After::Close,
        (Ok(()), false) => After::KeepAlive,
    }
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, parts: &[&[u8]]) -> std::io::Result<()> {
    stream.write_all(&parts.concat()).await?;
    stream.flush().await
}

async fn drip<S: AsyncWrite + Unpin>(stream: &mut S, head: &[u8], body: &[u8], pause: Duration) -> std::io::Result<()> {
    write(stream, &[head]).await?;
    for byte in body {
        tokio::time::sleep(pause).await;
        write(stream, &[std::slice::from_ref(byte)]).await?;
    }
    Ok(())
}

fn head(answer: &Answer, framing: Framing, close: bool) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status));
    for (name, value) in &answer.headers {
        // A scripted header must not be able to break the head by accident; raw bytes do that on purpose.
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        let _ = write!(head, "{name}: {value}\r\n");
    }
    match framing {
        Framing::Length => {
            let _ = write!(head, "Content-Length: {}\r\n", answer.body.len());
        }
        Framing::Chunked => head.push_str("Transfer-Encoding: chunked\r\n"),
        Framing::UntilClose => {}
    }
    if close {
        head.push_str("Connection: close\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// The reason phrase (RFC 9112, section 4).
fn reason(status: u16) -> &'static str {
    if status == 200 { "OK" } else { words(status) }
}

fn framed(body: &[u8], framing: Framing) -> Vec<u8> {
    if framing != Framing::Chunked {
        return body.to_vec();
    }
    let mut out = Vec::with_capacity(body.len() + 64);
    // Small and odd, so that no token of a license stays in one piece; larger only for bodies that are.
    for chunk in body.chunks((body.len() / 64).max(7)) {
        out.extend(format!("{:x}\r\n", chunk.len()).bytes());
        out.extend(chunk);
        out.extend(b"\r\n");
    }
    out.extend(b"0\r\n\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(reply: &Reply) -> (String, After) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (mut server, mut client) = tokio::io::duplex(4096);
            let after = send(&mut server, reply, false, false).await;
            drop(server);
            let mut text = String::new();
            client.read_to_string(&mut text).await.unwrap();
            (text, after)
        })
    }

    fn reply() -> Reply {
        Reply::plain(Answer::new(200, "text/plain", "0123456789"))
    }

    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";

    #[test]
    fn whole_answers_keep_the_connection() {
        assert_eq!(sent(&reply()), (format!("{HEAD}Content-Length: 10\r\n\r\n0123456789"), After::KeepAlive));
    }

    #[test]
    fn half_answers_do_not() {
        let half = Reply { delivery: Delivery::CutHalf, ..reply() };
        assert_eq!(sent(&half), (format!("{HEAD}Content-Length: 10\r\n\r\n01234"), After::Drop));
        let none = Reply { delivery: Delivery::LostAnswer, ..reply() };
        assert_eq!(sent(&none), (String::new(), After::Drop));
    }

    #[test]
    fn framings() {
        let chunked = Reply { framing: Framing::Chunked, ..reply() };
        let body = "7\r\n0123456\r\n3\r\n789\r\n0\r\n\r\n";
        assert_eq!(sent(&chunked).0, format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{body}"));
        let endless = Reply { framing: Framing::UntilClose, ..reply() };
        assert_eq!(sent(&endless), (format!("{HEAD}Connection: close\r\n\r\n0123456789"), After::Close));
    }

    #[test]
    fn a_header_cannot_split_the_head() {
        let answer = Answer::new(302, "text/html", "").with("Location", "http://a/\r\nX: y");
        assert!(sent(&Reply::plain(answer)).0.contains("Location: http://a/X: y\r\n"));
    }
}
