//! Talking to the server: one request, its answer or a [`Failure`].

use crate::failure::Failure;
use crate::language::Language;
use crate::texts::Text;
use clap::ArgMatches;
use reqwest::{Method, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::time::Duration;

/// Time for a whole request: setting a password takes the server a good part of a second.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The server that is administered.
#[derive(Debug)]
pub struct Server {
    url: Url,
    token: Option<String>,
    http: reqwest::Client,
    language: Language,
}

impl Server {
    /// The server that the command line names, and the administrator's access token. Nothing is
    /// sent yet.
    pub fn new(matches: &ArgMatches, token: Option<String>, language: Language) -> Result<Self, Failure> {
        let given = matches.get_one::<String>("url").map(String::as_str).unwrap_or_default();
        let url = Url::parse(given)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| Failure::usage(Text::BadUrl.with(language, &[("url", given)])))?;
        // Fails only when a provider is already set, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder().timeout(TIMEOUT);
        if let Some(file) = matches.get_one::<String>("ca-file") {
            let wrong = |error: String| {
                Failure::usage(Text::BadFile.with(language, &[("file", file), ("error", &error)]))
            };
            let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
            let extra =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
            builder = builder.tls_certs_merge(extra);
        }
        let http = builder.build().map_err(|error| Failure::other(error.to_string()))?;
        let token = token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        Ok(Self { url, token, http, language })
    }

    /// Sends a request as the administrator.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<T, Failure> {
        let token = self.token.as_deref();
        let token = token.ok_or_else(|| Failure::usage(Text::NoToken.of(self.language)))?;
        self.send(method, path, query, body, Some(token)).await
    }

    /// Sends a request as nobody in particular.
    pub async fn ask_anonymously<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        self.send(Method::POST, path, &[], Some(body), None).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
        token: Option<&str>,
    ) -> Result<T, Failure> {
        let mut url = self.url.clone();
        url.set_path(path);
        let mut request = self.http.request(method, url).query(query);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| self.no_connection(&error))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| self.no_connection(&error))?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| self.bad_answer());
        }
        Err(self.refusal(status, &serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    fn no_connection(&self, error: &reqwest::Error) -> Failure {
        let mut innermost: &dyn std::error::Error = error;
        while let Some(cause) = innermost.source() {
            innermost = cause;
        }
        let words = [("url", self.url.as_str()), ("error", &innermost.to_string())];
        Failure::other(Text::NoConnection.with(self.language, &words))
    }

    /// The failure for an answer that this version does not understand.
    pub fn bad_answer(&self) -> Failure {
        Failure::other(Text::BadAnswer.with(self.language, &[("url", self.url.as_str())]))
    }

    fn refusal(&self, status: StatusCode, body: &Value) -> Failure {
        let errcode = body.get("errcode").and_then(Value::as_str).unwrap_or_default();
        let Some(error) = body.get("error").and_then(Value::as_str) else { return self.bad_answer() };
        let text = if status == StatusCode::UNAUTHORIZED { Text::TokenRefused } else { Text::Refused };
        Failure::answered(status.as_u16(), errcode, text.with(self.language, &[("error", error)]))
    }
}

/// The password that was written to standard input: its first line.
pub fn password_from_stdin(language: Language) -> Result<String, Failure> {
    /// More than any password; what comes after is not read.
    const LONGEST: u64 = 64 * 1024;
    let mut line = String::new();
    let read = BufReader::new(std::io::stdin().take(LONGEST)).read_line(&mut line);
    let password = line.trim_end_matches(['\r', '\n']);
    if read.is_err() || password.is_empty() {
        return Err(Failure::usage(Text::EmptyPassword.of(language)));
    }
    Ok(password.to_owned())
}
