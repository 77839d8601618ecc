//! What telling and asking application services needs of the outside world.

use futures_util::future::BoxFuture;
use std::time::Duration;

/// How a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Asks.
    Get,
    /// Hands over something that may be repeated.
    Put,
    /// Hands over something else.
    Post,
}

/// A request to an application service.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// How.
    pub method: Method,
    /// Its whole address.
    pub url: &'a str,
    /// With which the server proves itself (`Authorization: Bearer`).
    pub token: &'a str,
    /// JSON, of requests that hand something over.
    pub body: Option<&'a [u8]>,
    /// For everything together.
    pub time: Duration,
    /// Of the answer at most so many bytes are read.
    pub most_bytes: usize,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer of any status.
    Answer {
        /// HTTP status.
        status: u16,
        /// Its body, as far as it was read.
        body: Vec<u8>,
    },
    /// No whole answer in time.
    Slow,
    /// Nobody is there. Why, without anything of the address.
    Unreachable(String),
}

impl Reply {
    /// Whether the status says that it went well.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Answer { status: 200..=299, .. })
    }

    /// Whether the service does not know the endpoint, or the thing that was asked for.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Answer { status: 404 | 405 | 501, .. })
    }

    /// What happened, for the log.
    pub fn why(&self) -> String {
        match self {
            Self::Answer { status, .. } => format!("it answers with status {status}"),
            Self::Slow => "no answer in time".to_owned(),
            Self::Unreachable(why) => why.clone(),
        }
    }
}

/// Speaks to application services. Their addresses are the operator's own words, so they may lie
/// anywhere.
pub trait Link: Send + Sync {
    /// Makes a request.
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Reply>;
}
