//! Who may call from where: origins, preflights, and the headers that let a page read its answer.
//!
//! Only origins that are configured are ever named in an answer; nothing is reflected, nothing is `*`.

use kontor_bridge_kit::{HookRequest, Reply, Status};
use kontor_model::{Error, Result};

/// From where a request comes, once that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door(Option<String>);

impl Door {
    /// Lets a request in if its `Origin` is one of these. A request without one is no page's: it may only
    /// read, and not when the browser says that it is on another site's behalf.
    ///
    /// # Errors
    /// `Forbidden` from anywhere else.
    pub fn enter<'a>(request: &HookRequest, origins: impl IntoIterator<Item = &'a String>) -> Result<Self> {
        let foreign = || Error::forbidden("This page may not use this. Is its origin configured?");
        let Some(origin) = request.header("origin") else {
            let site = request.header("sec-fetch-site").unwrap_or("none");
            let reads = request.method == "GET" && matches!(site, "none" | "same-origin");
            return if reads { Ok(Self(None)) } else { Err(foreign()) };
        };
        let known = origins.into_iter().find(|known| *known == origin).ok_or_else(foreign)?;
        Ok(Self(Some(known.clone())))
    }

    /// For those who need no door, such as a server that signs.
    pub fn none() -> Self {
        Self(None)
    }

    /// Lets the page read the answer.
    #[must_use]
    pub fn open(&self, reply: Reply) -> Reply {
        let reply = reply.with("vary", "Origin").with("x-content-type-options", "nosniff");
        match &self.0 {
            Some(origin) => reply
                .with("access-control-allow-origin", origin.clone())
                .with("access-control-expose-headers", "retry-after, content-disposition"),
            None => reply,
        }
    }

    /// The answer to a browser that asks before it calls.
    pub fn preflight(&self) -> Reply {
        let reply = Reply::empty(Status::NoContent)
            .with("access-control-allow-methods", "GET, POST, DELETE")
            .with("access-control-allow-headers", "authorization, content-type")
            .with("access-control-max-age", "600");
        self.open(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, headers: &[(&str, &str)]) -> HookRequest {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        HookRequest {
            method: method.to_owned(),
            path: String::new(),
            query: String::new(),
            headers: headers.collect(),
            body: bytes::Bytes::new(),
            remote: [127, 0, 0, 1].into(),
            at: 0,
        }
    }

    fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
        reply.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn exactly_the_configured_origins_get_in() {
        let known = vec!["https://shop.example".to_owned()];
        for (origin, inside) in [
            ("https://shop.example", true),
            ("https://shop.example.evil.example", false),
            ("https://SHOP.example", false),
            ("http://shop.example", false),
            ("https://shop.example:8443", false),
            ("null", false),
            ("*", false),
            ("", false),
        ] {
            for method in ["GET", "POST", "OPTIONS"] {
                let entered = Door::enter(&request(method, &[("origin", origin)]), &known);
                assert_eq!(entered.is_ok(), inside, "{method} from {origin}");
            }
        }
    }

    #[test]
    fn without_an_origin_one_may_only_read() {
        let known = Vec::new();
        assert!(Door::enter(&request("GET", &[]), &known).is_ok());
        assert!(Door::enter(&request("GET", &[("sec-fetch-site", "same-origin")]), &known).is_ok());
        assert!(Door::enter(&request("GET", &[("sec-fetch-site", "cross-site")]), &known).is_err());
        assert!(Door::enter(&request("POST", &[]), &known).is_err());
        assert!(Door::enter(&request("DELETE", &[]), &known).is_err());
    }

    #[test]
    fn answers_name_the_configured_origin_and_no_cookies() {
        let known = vec!["https://shop.example".to_owned()];
        let door = Door::enter(&request("OPTIONS", &[("origin", "https://shop.example")]), &known).unwrap();
        let reply = door.preflight();
        assert_eq!(header(&reply, "access-control-allow-origin"), Some("https://shop.example"));
        assert_eq!(header(&reply, "vary"), Some("Origin"));
        assert_eq!(header(&reply, "access-control-allow-headers"), Some("authorization, content-type"));
        assert_eq!(header(&reply, "access-control-allow-credentials"), None);
        assert_eq!(header(&Door::none().open(Reply::empty(Status::Ok)), "access-control-allow-origin"), None);
    }
}
