//! Bodies of requests that somebody sends to us and that nobody wants to read to their end. What is
//! asked and answered may not enter.

use hyper::Request;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::EXPECT;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Bytes of an unwanted body that are read after the answer.
const MOST: u64 = 64 << 20;
/// How long they may take to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// A body that goes on being read, and thrown away, when whoever answers lets go of it early, up to
/// a limit.
///
/// A connection that is closed while bytes lie unread is reset, and the reset overtakes the answer:
/// whoever sent too much would read "connection lost" instead of why it was refused. RFC 9112,
/// section 9.6, asks for this.
#[derive(Debug)]
pub struct Unread<B>
where
    B: Body + Send + Unpin + 'static,
{
    body: Option<B>,
    /// Whether it is thrown away at once: its sender waits for a word before sending it.
    awaited: bool,
}

impl<B> Unread<B>
where
    B: Body + Send + Unpin + 'static,
{
    /// The request with its body, which is read to the end whatever is done with it.
    pub fn of(request: Request<B>) -> Request<Self> {
        let awaited = request.headers().contains_key(EXPECT);
        request.map(|body| Self { body: Some(body), awaited })
    }
}

impl<B> Body for Unread<B>
where
    B: Body + Send + Unpin + 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.awaited = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(context);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B> Drop for Unread<B>
where
    B: Body + Send + Unpin + 'static,
{
    fn drop(&mut self) {
        let rest = self.body.take().filter(|body| !self.awaited && !body.is_end_stream());
        if let (Some(rest), Ok(runtime)) = (rest, Handle::try_current()) {
            // Not in time or too much: the connection is closed, as it would have been at once.
            runtime.spawn(timeout(PATIENCE, throw_away(rest)));
        }
    }
}

async fn throw_away<B: Body + Unpin>(mut body: B) {
    let mut read = 0;
    while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        read += frame.data_ref().map_or(0, |data| bytes::Buf::remaining(data) as u64);
        if read > MOST {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Response;
    use hyper::body::Incoming;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use std::convert::Infallible;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    /// Answers every request without reading it.
    async fn refusing() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let refuse = service_fn(|request: Request<Incoming>| async {
                    drop(Unread::of(request));
                    Ok::<_, Infallible>(Response::new("no".to_owned()))
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), refuse));
            }
        });
        address
    }

    async fn answer(stream: &mut TcpStream) -> String {
        let (mut read, mut said) = ([0; 512], String::new());
        while !said.ends_with("\r\n\r\nno") {
            let length = stream.read(&mut read).await.unwrap();
            assert_ne!(length, 0, "closed after {said:?}");
            said.push_str(&String::from_utf8_lossy(&read[..length]));
        }
        said
    }

    #[tokio::test]
    async fn whoever_sends_too_much_reads_why_it_was_refused_and_may_go_on_asking() {
        let mut stream = TcpStream::connect(refusing().await).await.unwrap();
        for length in [10, 3 << 20, 0] {
            let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            // The answer is there before the body: only then is it sent, whole.
            answer(&mut stream).await;
            stream.write_all(&vec![b'x'; length]).await.unwrap();
        }
    }

    #[tokio::test]
    async fn whoever_asks_before_sending_is_answered_and_not_asked_for_more() {
        let mut stream = TcpStream::connect(refusing().await).await.unwrap();
        let head = "POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let said = answer(&mut stream).await;
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "it is closed");
    }
}
