//! Handing mail to the company's mail server.

use crate::Authorities;
use kontor_model::Secret;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::time::Duration;

/// Time for each step of the conversation with the mail server.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections to the mail server at a time.
const CONNECTIONS: u32 = 4;

/// How the conversation is kept from being overheard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// TLS from the first byte.
    Tls,
    /// TLS after the greeting, or nothing is sent.
    StartTls,
    /// None: for a mail server on the same machine.
    Plain,
}

/// A mail server and how to speak with it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its name, which its certificate has to bear.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether and how TLS is used.
    pub cover: Cover,
    /// Name and password, where it wants them.
    pub credentials: Option<(String, Secret<String>)>,
    /// The address that mails come from, such as `Kontor <kontor@company.example>`.
    pub from: String,
    /// What this machine calls itself in the greeting.
    pub hello: String,
}

/// One mail, as plain text and as HTML.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The address that it goes to.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// Unique before the `@`: a mail that is sent twice can be known by it.
    pub id: String,
}

/// Why a mail was not handed over. The words name no address.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// It will never be taken: the address is none, or the mail server refuses it for good.
    #[error("the mail server will not take it: {0}")]
    Never(String),
    /// It may be taken later.
    #[error("the mail server cannot take it now: {0}")]
    NotNow(String),
}

/// The way to the mail server.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    domain: String,
}

/// Whether a text can be where mails come from.
///
/// # Errors
/// What is wrong with it.
pub fn check_from(from: &str) -> Result<(), String> {
    from.parse::<Mailbox>().map(|_| ()).map_err(|error| error.to_string())
}

impl Smtp {
    /// Prepares the way; nothing is sent and nobody is called yet.
    ///
    /// # Errors
    /// A sentence when the options cannot work.
    pub fn new(options: &Options, authorities: &Authorities) -> Result<Self, String> {
        let from: Mailbox = options
            .from
            .parse()
            .map_err(|error| format!("\"{}\" is not an address for mails: {error}.", options.from))?;
        let hello = ClientId::Domain(options.hello.clone());
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&options.host)
            .port(options.port)
            .tls(tls(options, authorities)?)
            .hello_name(hello)
            .timeout(Some(PATIENCE))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS));
        if let Some((name, password)) = &options.credentials {
            builder = builder.credentials(Credentials::new(name.clone(), password.expose().clone()));
        }
        let domain = from.email.domain().to_owned();
        Ok(Self { transport: builder.build(), from, domain })
    }

    /// Hands a mail over and returns when the mail server has taken it.
    ///
    /// # Errors
    /// [`Undelivered`].
    pub async fn send(&self, mail: Mail) -> Result<(), Undelivered> {
        let never = |error: String| Undelivered::Never(error);
        let to = mail.to.parse().map_err(|error: lettre::address::AddressError| never(error.to_string()))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.subject)
            .message_id(Some(format!("<{}@{}>", mail.id, self.domain)))
            // Programs that answer mails by themselves leave such ones alone (RFC 3834).
            .raw_header(automatic())
            .multipart(MultiPart::alternative_plain_html(mail.text, mail.html))
            .map_err(|error| never(error.to_string()))?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(Undelivered::Never(said(&error))),
            Err(error) => Err(Undelivered::NotNow(said(&error))),
        }
    }
}

/// What went wrong, for the log: of the mail server's own words only their number, since they often
/// repeat the address.
fn said(error: &lettre::transport::smtp::Error) -> String {
    if let Some(code) = error.status() {
        return format!("it answered {code}");
    }
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        said = format!("{said}: {inner}");
        cause = inner.source();
    }
    said
}

fn automatic() -> lettre::message::header::HeaderValue {
    let name = lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted");
    lettre::message::header::HeaderValue::new(name, "auto-generated".to_owned())
}

fn tls(options: &Options, authorities: &Authorities) -> Result<Tls, String> {
    if options.cover == Cover::Plain {
        return Ok(Tls::None);
    }
    let wrong =
        |error: lettre::transport::smtp::Error| format!("TLS with the mail server cannot work: {error}.");
    let mut parameters = TlsParameters::builder(options.host.clone());
    for certificate in authorities.certificates() {
        let certificate = Certificate::from_der(certificate.to_vec()).map_err(wrong)?;
        parameters = parameters.add_root_certificate(certificate);
    }
    let parameters = parameters.build_rustls().map_err(wrong)?;
    Ok(match options.cover {
        Cover::Tls => Tls::Wrapper(parameters),
        _ => Tls::Required(parameters),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    fn options(port: u16) -> Options {
        Options {
            host: "127.0.0.1".into(),
            port,
            cover: Cover::Plain,
            credentials: None,
            from: "Kontor <kontor@company.example>".into(),
            hello: "chat.company.example".into(),
        }
    }

    fn mail(to: &str) -> Mail {
        let text = |text: &str| text.to_owned();
        Mail {
            to: text(to),
            subject: text("Zażółć"),
            text: text("t"),
            html: text("<p>t</p>"),
            id: text("n1"),
        }
    }

    /// A mail server for one conversation, which answers the recipient like this.
    async fn server(recipient: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut said = String::new();
            stream.write_all(b"220 x\r\n").await.unwrap();
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                    return said;
                }
                said.push_str(&line);
                let answer = match line.get(..4).unwrap_or_default() {
                    "RCPT" => recipient,
                    "DATA" => "354 go on",
                    "QUIT" => return said,
                    _ => "250 ok",
                };
                stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
                if answer.starts_with("354") {
                    let mut body = Vec::new();
                    while !body.ends_with(b"\r\n.\r\n") {
                        body.push(stream.read_u8().await.unwrap());
                    }
                    said.push_str(&String::from_utf8_lossy(&body));
                    stream.write_all(b"250 taken\r\n").await.unwrap();
                }
            }
        });
        (port, serving)
    }

    #[tokio::test]
    async fn a_mail_is_handed_over_with_both_its_forms() {
        let (port, serving) = server("250 ok").await;
        let smtp = Smtp::new(&options(port), &Authorities::default()).unwrap();
        smtp.send(mail("anna@company.example")).await.unwrap();
        drop(smtp);
        let said = serving.await.unwrap();
        assert!(said.contains("EHLO chat.company.example"), "{said}");
        assert!(said.contains("Message-ID: <n1@company.example>"), "{said}");
        assert!(said.contains("text/plain") && said.contains("text/html"), "{said}");
        assert!(said.contains("Auto-Submitted: auto-generated"), "{said}");
    }

    #[tokio::test]
    async fn refusals_for_good_are_told_from_those_for_now() {
        for (answer, for_good) in [("550 nobody", true), ("451 later", false)] {
            let (port, serving) = server(answer).await;
            let smtp = Smtp::new(&options(port), &Authorities::default()).unwrap();
            let refused = smtp.send(mail("anna@company.example")).await.unwrap_err();
            assert_eq!(matches!(refused, Undelivered::Never(_)), for_good, "{refused}");
            drop(smtp);
            serving.abort();
        }
        let nobody = Smtp::new(&options(1), &Authorities::default()).unwrap();
        let refused = nobody.send(mail("anna@company.example")).await.unwrap_err();
        assert!(matches!(refused, Undelivered::NotNow(_)), "{refused}");
        let refused = nobody.send(mail("no address")).await.unwrap_err();
        assert!(matches!(refused, Undelivered::Never(_)), "{refused}");
    }
}
