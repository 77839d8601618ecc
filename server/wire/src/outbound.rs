//! One HTTP client for every connection to addresses that somebody else named: users, web pages,
//! other servers. Bounded in time, in size and in the number of redirects; never to a denied range,
//! however the address was written and wherever a redirect leads; never through a proxy that
//! happens to stand in the environment.

use crate::authorities::Authorities;
use crate::ranges::{Denied, IpRange};
use crate::resolver::{AllDenied, Guarded};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, Url};
use std::error::Error as StdError;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(60);
/// Idle connections kept for one host.
const IDLE_PER_HOST: usize = 4;

/// What the client is made with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Authorities trusted beside the system's own.
    pub authorities: Authorities,
    /// Ranges to which nothing may connect.
    pub denied: Vec<IpRange>,
    /// How the server names itself (`User-Agent`).
    pub user_agent: String,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// The address; `http` and `https` are known.
    pub url: &'a str,
    /// Fields beside those that go without saying.
    pub headers: &'a [(&'static str, &'a str)],
    /// A body makes it a POST of JSON, without one it is a GET.
    pub json: Option<String>,
    /// Makes it a PUT instead of a POST.
    pub put: bool,
    /// For everything together, redirects and body included.
    pub time: Duration,
    /// Of the answer's body at most so many bytes are read.
    pub most_bytes: usize,
    /// How often a redirect is followed; a POST is never sent anywhere else.
    pub redirects: usize,
}

/// An answer, of whatever status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Where it came from in the end.
    pub url: String,
    /// Its fields.
    headers: HeaderMap,
    /// Its body, as far as it was read.
    pub body: Vec<u8>,
    /// Whether there was more.
    pub cut: bool,
}

impl Answer {
    /// Whether the status says that it went well.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A field of the answer, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unheard {
    /// Not an address that can be asked.
    #[error("the address is not one of http or https")]
    BadAddress,
    /// The address, or one that it led to, lies in a denied range.
    #[error("the address lies in a denied range")]
    Denied,
    /// Nobody answered, or not in HTTP.
    #[error("no answer")]
    Unreachable(#[source] reqwest::Error),
    /// It took too long.
    #[error("no whole answer in time")]
    Slow,
    /// It led from one address to another too often.
    #[error("too many redirects")]
    Astray,
}

/// The client.
#[derive(Debug, Clone)]
pub struct Outbound {
    http: reqwest::Client,
    denied: Arc<Denied>,
}

impl Outbound {
    /// Makes the client; opens no connection.
    ///
    /// # Errors
    /// A sentence when the authorities cannot be used.
    pub fn new(options: Options) -> Result<Self, String> {
        let denied = Arc::new(Denied::new(options.denied));
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .dns_resolver(Guarded(Arc::clone(&denied)))
            .user_agent(options.user_agent);
        let http = options.authorities.trusted_by(builder).build();
        let http = http.map_err(|error| format!("Outgoing connections cannot be made: {error}."))?;
        Ok(Self { http, denied })
    }

    /// Asks, and reads the answer.
    ///
    /// # Errors
    /// Why there is no answer; one of an unpleasant status is an answer.
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Unheard> {
        timeout(ask.time, self.follow(ask)).await.map_err(|_| Unheard::Slow)?
    }

    async fn follow(&self, ask: &Ask<'_>) -> Result<Answer, Unheard> {
        let mut url = Url::parse(ask.url).map_err(|_| Unheard::BadAddress)?;
        let mut left = ask.redirects;
        loop {
            let response = self.send(&url, ask).await?;
            let Some(next) = redirect(&url, &response).filter(|_| ask.json.is_none()) else {
                return read(url, response, ask.most_bytes).await;
            };
            left = left.checked_sub(1).ok_or(Unheard::Astray)?;
            url = next;
        }
    }

    async fn send(&self, url: &Url, ask: &Ask<'_>) -> Result<Response, Unheard> {
        self.check(url)?;
        let method = match (&ask.json, ask.put) {
            (None, _) => Method::GET,
            (Some(_), false) => Method::POST,
            (Some(_), true) => Method::PUT,
        };
        let mut request = self.http.request(method, url.clone());
        for (name, value) in ask.headers {
            let value = HeaderValue::from_str(value).map_err(|_| Unheard::BadAddress)?;
            request = request.header(HeaderName::from_static(name), value);
        }
        if let Some(json) = &ask.json {
            request = request.header("content-type", "application/json").body(json.clone());
        }
        request.send().await.map_err(unheard)
    }

    /// Refuses addresses before anything is sent; names are looked at when they were looked up.
    fn check(&self, url: &Url) -> Result<(), Unheard> {
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some()
        {
            return Err(Unheard::BadAddress);
        }
        let host = url.host_str().ok_or(Unheard::BadAddress)?;
        // The client does not look up an address that is written as digits.
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if literal.is_ok_and(|address| self.denied.refuses(address)) { Err(Unheard::Denied) } else { Ok(()) }
    }
}

/// Where an answer leads, if it leads anywhere.
fn redirect(from: &Url, response: &Response) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    from.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()
}

async fn read(url: Url, mut response: Response, most: usize) -> Result<Answer, Unheard> {
    let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
    let (mut body, mut cut) = (Vec::new(), false);
    while let Some(piece) = response.chunk().await.map_err(unheard)? {
        let room = most - body.len();
        body.extend(piece.iter().take(room));
        if piece.len() > room {
            cut = true;
            break;
        }
    }
    Ok(Answer { status, url: url.into(), headers, body, cut })
}

fn unheard(error: reqwest::Error) -> Unheard {
    if error.is_timeout() {
        return Unheard::Slow;
    }
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(inner) = cause {
        if inner.is::<AllDenied>() {
            return Unheard::Denied;
        }
        cause = inner.source();
    }
    // The address may hold what a person typed or a gateway's key: it is not for the log.
    Unheard::Unreachable(error.without_url())
}

#[cfg(test)]
mod tests;
