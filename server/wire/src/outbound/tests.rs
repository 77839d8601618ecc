//! Which addresses can be reached, and what is read of answers, against real listeners.

use super::*;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A web server of few words: what it says to a path is what `say` makes of it.
async fn serve(say: fn(&str, SocketAddr) -> String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = vec![0; 4096];
                let read = stream.read(&mut head).await.unwrap_or_default();
                let head = String::from_utf8_lossy(&head[..read]).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default();
                let _ = stream.write_all(say(path, address).as_bytes()).await;
            });
        }
    });
    address
}

fn says(path: &str, at: SocketAddr) -> String {
    let redirect = |to: String| {
        format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    };
    match path {
        "/loop" => redirect(format!("http://{at}/loop")),
        "/away" => redirect(format!("http://127.0.0.2:{}/", at.port())),
        "/relative" => redirect("plain?x=1".to_owned()),
        "/never" => "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_owned(),
        _ => format!(
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\nx-path: {path}\r\n\r\nhello"
        ),
    }
}

fn outbound(denied: &[&str]) -> Outbound {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let denied = denied.iter().map(|range| range.parse().unwrap()).collect();
    Outbound::new(Options { denied, user_agent: "Test".into(), ..Options::default() }).unwrap()
}

fn get(url: &str) -> Ask<'_> {
    Ask {
        url,
        headers: &[],
        json: None,
        put: false,
        time: Duration::from_secs(5),
        most_bytes: 1_000,
        redirects: 3,
    }
}

#[tokio::test]
async fn an_answer_is_read_up_to_its_limit() {
    let at = serve(says).await;
    let url = format!("http://{at}/plain");
    let answer = outbound(&[]).ask(&get(&url)).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice(), answer.cut), (200, &b"hello"[..], false));
    assert_eq!(answer.header("x-path"), Some("/plain"));
    let short = Ask { most_bytes: 3, ..get(&url) };
    let answer = outbound(&[]).ask(&short).await.unwrap();
    assert_eq!((answer.body.as_slice(), answer.cut), (&b"hel"[..], true));
}

#[tokio::test]
async fn redirects_are_followed_but_not_for_ever_and_never_with_a_body() {
    let at = serve(says).await;
    let out = outbound(&[]);
    let answer = out.ask(&get(&format!("http://{at}/relative"))).await.unwrap();
    assert_eq!(
        (answer.header("x-path"), &answer.url),
        (Some("/plain?x=1"), &format!("http://{at}/plain?x=1"))
    );
    assert!(matches!(out.ask(&get(&format!("http://{at}/loop"))).await, Err(Unheard::Astray)));
    let url = format!("http://{at}/away");
    let post = Ask { json: Some("{}".into()), ..get(&url) };
    assert_eq!(out.ask(&post).await.unwrap().status, 302);
}

#[tokio::test]
async fn denied_ranges_hold_for_digits_names_and_redirects() {
    let at = serve(says).await;
    let all = outbound(&["127.0.0.0/8", "::1/128"]);
    let port = at.port();
    for url in [
        format!("http://{at}/"),
        format!("http://localhost:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://0177.0.0.1:{port}/"),
        format!("http://127.1:{port}/"),
    ] {
        let refused = all.ask(&get(&url)).await;
        assert!(matches!(refused, Err(Unheard::Denied)), "{url}: {refused:?}");
    }
    // The first address is allowed, the one that it leads to is not.
    let some = outbound(&["127.0.0.2/32"]);
    assert!(some.ask(&get(&format!("http://{at}/plain"))).await.is_ok());
    assert!(matches!(some.ask(&get(&format!("http://{at}/away"))).await, Err(Unheard::Denied)));
}

#[tokio::test]
async fn what_is_no_web_address_is_not_asked() {
    let out = outbound(&[]);
    for url in
        ["", "file:///etc/passwd", "ftp://x/", "http://user:pw@example.invalid/", "http://", "gopher://x"]
    {
        assert!(matches!(out.ask(&get(url)).await, Err(Unheard::BadAddress)), "{url}");
    }
}

#[tokio::test]
async fn an_answer_that_never_ends_is_given_up() {
    let at = serve(says).await;
    let url = format!("http://{at}/never");
    let ask = Ask { time: Duration::from_millis(300), ..get(&url) };
    let given_up = outbound(&[]).ask(&ask).await;
    assert!(matches!(given_up, Err(Unheard::Slow | Unheard::Unreachable(_))), "{given_up:?}");
}

#[tokio::test]
async fn what_is_said_of_a_failure_does_not_hold_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    drop(listener);
    let failed = outbound(&[]).ask(&get(&format!("http://{at}/secret-key"))).await.unwrap_err();
    assert!(matches!(failed, Unheard::Unreachable(_)));
    assert!(!format!("{failed:?}").contains("secret-key"), "{failed:?}");
}
