//! The way for letters, as the configuration lays it: the flows' trait over the mail server.

use crate::config::{Config, SmtpTls};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use kontor_flows::mail::{Envelope, Mail, Mailer, Undelivered};
use kontor_wire::Authorities;
use kontor_wire::smtp::{self, Cover, Options, Smtp};
use std::sync::Arc;

/// A mail server as flows know it.
struct Over(Smtp);

impl Mailer for Over {
    fn send(&self, envelope: Envelope) -> BoxFuture<'_, Result<(), Undelivered>> {
        let Envelope { to, subject, text, html, id } = envelope;
        async move {
            let sent = self.0.send(smtp::Mail { to, subject, text, html, id }).await;
            sent.map_err(|error| match error {
                smtp::Undelivered::Never(cause) => Undelivered::Never(cause),
                smtp::Undelivered::NotNow(cause) => Undelivered::NotNow(cause),
            })
        }
        .boxed()
    }
}

/// The way out for letters; a closed one when no mail server is configured.
///
/// # Errors
/// A sentence when the configured way cannot work.
pub fn way(config: &Config, authorities: &Authorities) -> Result<Mail, String> {
    let email = &config.email;
    let (Some(host), Some(from)) = (&email.smtp_host, &email.from) else { return Ok(Mail::default()) };
    let name = &config.top.server_name;
    let options = Options {
        host: host.clone(),
        port: u16::try_from(email.smtp_port).map_err(|error| format!("email.smtp_port: {error}"))?,
        cover: match email.smtp_tls {
            SmtpTls::Tls => Cover::Tls,
            SmtpTls::StartTls => Cover::StartTls,
            SmtpTls::None => Cover::Plain,
        },
        credentials: email.smtp_user.clone().zip(email.smtp_password.clone()),
        from: from.clone(),
        hello: name.rsplit_once(':').map_or(name.as_str(), |(host, _)| host).to_owned(),
    };
    let smtp = Smtp::new(&options, authorities)?;
    Ok(Mail { mailer: Some(Arc::new(Over(smtp))), ..Mail::default() })
}
