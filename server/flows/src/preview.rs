//! Previews of links: a page of the web is asked once for everybody, its picture becomes a file, and
//! what it looks like is remembered for a day.
//!
//! Nobody learns from an answer whether an address does not exist, does not answer, or lies where
//! this server may not go: else people could look around in the company's network with it.

use futures_util::future::BoxFuture;
use kontor_media::Media;
use kontor_media::preview::{self, MOST_PAGE, MOST_PICTURE, Page, Picture};
use kontor_model::{Code, Error, Requester, Result};
use kontor_store::{Change, Store};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use url::Url;

/// Pages that are asked at a time.
const AT_ONCE: usize = 8;
/// Longest address, bytes.
const LONGEST_URL: usize = 2_048;
/// Longest language tag.
const LONGEST_LANGUAGE: usize = 20;
/// The language that is asked for when the client names none.
const LANGUAGE: &str = "en";
/// Answers that are remembered in memory, and how long: also what makes many askers of one page wait
/// for one answer.
const REMEMBERED: u64 = 1_000;
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// What is asked of the web.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The address.
    pub url: &'a str,
    /// Content types, for the field of that name.
    pub accept: &'static str,
    /// Languages, likewise.
    pub language: &'a str,
    /// At most so many bytes are read.
    pub most_bytes: usize,
}

/// What the web answered.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Where it came from in the end.
    pub url: String,
    /// Its content type, if it says one.
    pub content_type: Option<String>,
    /// Its first bytes.
    pub body: Vec<u8>,
    /// Whether there is more.
    pub cut: bool,
}

/// Reads the web.
pub trait Web: Send + Sync {
    /// Fetches what is at an address; `None` when there is nothing that can be had.
    fn fetch<'a>(&'a self, wanted: Wanted<'a>) -> BoxFuture<'a, Option<Fetched>>;
}

/// Previews of links. One per process.
pub struct Previews {
    store: Store,
    media: Arc<Media>,
    web: Arc<dyn Web>,
    at_once: Semaphore,
    lately: moka::future::Cache<Vec<u8>, Option<Arc<str>>>,
}

impl Previews {
    /// Over a way to read the web.
    pub fn new(store: Store, media: Arc<Media>, web: Arc<dyn Web>) -> Self {
        let lately =
            moka::future::Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBERED_FOR).build();
        Self { store, media, web, at_once: Semaphore::new(AT_ONCE), lately }
    }

    /// What the page at an address looks like, JSON (`GET /preview_url`). `languages` is what the
    /// client prefers, as in `Accept-Language`.
    ///
    /// # Errors
    /// `InvalidParam` for what is no address of the web; `GuestAccessForbidden`; `NotFound` when
    /// nothing can be shown.
    pub async fn of(&self, requester: &Requester, url: &str, languages: Option<&str>) -> Result<Arc<str>> {
        if requester.guest {
            return Err(Error::new(
                Code::GuestAccessForbidden,
                "Guests see no previews of links. Make an account.",
            ));
        }
        let url = address(url)?;
        let language = language(languages);
        let digest = preview::digest(url.as_str(), &language);
        // Whoever asks for the same meanwhile waits for this answer.
        let find = self.find(requester, &url, &language, &digest);
        let shown = self.lately.try_get_with(digest.clone(), find).await;
        shown.map_err(|error| Error::new(error.code, error.message.clone()))?.ok_or_else(nothing)
    }

    async fn find(
        &self,
        requester: &Requester,
        url: &Url,
        language: &str,
        digest: &[u8],
    ) -> Result<Option<Arc<str>>> {
        if let Some(known) = self.media.known_preview(digest).await? {
            return Ok(known.map(Into::into));
        }
        let _turn = self.at_once.acquire().await.map_err(Error::internal)?;
        let mut change = Change::default();
        let found = self.look(requester, url, language).await?;
        let (shown, picture) = found.map_or((None, None), |(shown, picture)| (Some(shown), picture));
        self.media.remember_preview(&mut change, digest, shown.as_deref());
        if let Some(picture) = &picture {
            change.join(picture.change.clone());
        }
        // `picture` is kept until its row is written, so that no sweep takes the file before.
        self.store.submit(change).await?;
        drop(picture);
        Ok(shown.map(Into::into))
    }

    /// Asks the page, and what it names as its picture.
    async fn look(
        &self,
        requester: &Requester,
        url: &Url,
        language: &str,
    ) -> Result<Option<(String, Option<Picture>)>> {
        let accept = "text/html, application/xhtml+xml, image/*;q=0.8";
        let languages = format!("{language}, *;q=0.5");
        let wanted = Wanted {
            url: url.as_str(),
            accept,
            language: &languages,
            most_bytes: MOST_PAGE.max(MOST_PICTURE),
        };
        let Some(fetched) = self.web.fetch(wanted).await else { return Ok(None) };
        let kind = essence(fetched.content_type.as_deref());
        if kind.starts_with("image/") {
            let picture = self.keep(requester, &fetched).await?;
            return Ok(picture.map(|picture| (shown(&Page::default(), Some(&picture)), Some(picture))));
        }
        if !matches!(kind.as_str(), "text/html" | "application/xhtml+xml" | "") {
            return Ok(None);
        }
        let base = fetched.url.clone();
        let read = move || {
            preview::read(
                fetched.body.get(..MOST_PAGE).unwrap_or(&fetched.body),
                fetched.content_type.as_deref(),
            )
        };
        let page = tokio::task::spawn_blocking(read).await.map_err(Error::internal)?;
        if page.title.is_none() && page.description.is_none() && page.image.is_none() {
            return Ok(None);
        }
        let picture = match picture_address(&base, &page) {
            Some(address) => self.picture(requester, &address, &languages).await?,
            None => None,
        };
        Ok(Some((shown(&page, picture.as_ref()), picture)))
    }

    async fn picture(
        &self,
        requester: &Requester,
        address: &Url,
        languages: &str,
    ) -> Result<Option<Picture>> {
        let wanted = Wanted {
            url: address.as_str(),
            accept: "image/*",
            language: languages,
            most_bytes: MOST_PICTURE,
        };
        match self.web.fetch(wanted).await {
            Some(fetched) => self.keep(requester, &fetched).await,
            None => Ok(None),
        }
    }

    async fn keep(&self, requester: &Requester, fetched: &Fetched) -> Result<Option<Picture>> {
        // Half a picture is none.
        if fetched.cut || fetched.body.len() > MOST_PICTURE {
            return Ok(None);
        }
        self.media.keep_picture(requester.user, &fetched.body).await
    }
}

fn nothing() -> Error {
    Error::not_found("There is no preview of this link.")
}

/// An address as it is asked for: without the part that browsers keep to themselves.
fn address(text: &str) -> Result<Url> {
    let wrong =
        || Error::invalid_param("Previews are made of addresses that begin with http:// or https://.");
    if text.len() > LONGEST_URL {
        return Err(Error::invalid_param("The address is longer than 2048 bytes."));
    }
    let mut url = Url::parse(text).map_err(|_| wrong())?;
    let named = url.host_str().is_some_and(|host| !host.is_empty());
    if !matches!(url.scheme(), "http" | "https")
        || !named
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(wrong());
    }
    url.set_fragment(None);
    Ok(url)
}

/// The first language that a client prefers. Only one, and only its name: each is asked for and
/// remembered apart.
fn language(languages: Option<&str>) -> String {
    let first = languages.and_then(|list| list.split([',', ';']).next()).unwrap_or_default().trim();
    let name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if first.is_empty() || first.len() > LONGEST_LANGUAGE || !first.chars().all(name) {
        return LANGUAGE.to_owned();
    }
    first.to_ascii_lowercase()
}

/// A content type without its parameters, in small letters.
fn essence(content_type: Option<&str>) -> String {
    content_type.and_then(|said| said.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase()
}

/// Where a page's picture is.
fn picture_address(url: &str, page: &Page) -> Option<Url> {
    let url = Url::parse(url).ok()?;
    let base = page.base.as_deref().and_then(|base| url.join(base).ok()).unwrap_or(url);
    let address = base.join(page.image.as_deref()?).ok()?;
    matches!(address.scheme(), "http" | "https").then_some(address)
}

/// The answer to clients (OpenGraph, with a file of this server as picture).
fn shown(page: &Page, picture: Option<&Picture>) -> String {
    let mut shown = Map::new();
    let texts = [
        ("og:title", &page.title),
        ("og:description", &page.description),
        ("og:site_name", &page.site_name),
        ("og:type", &page.kind),
        ("og:url", &page.url),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            shown.insert(name.to_owned(), text.as_str().into());
        }
    }
    if let Some(picture) = picture {
        shown.insert("og:image".to_owned(), picture.uri.as_str().into());
        shown.insert("og:image:type".to_owned(), picture.content_type.into());
        shown.insert("matrix:image:size".to_owned(), picture.bytes.into());
        if let Some((width, height)) = picture.size {
            shown.insert("og:image:width".to_owned(), width.into());
            shown.insert("og:image:height".to_owned(), height.into());
        }
        if let Some(alt) = &page.image_alt {
            shown.insert("og:image:alt".to_owned(), alt.as_str().into());
        }
    }
    Value::Object(shown).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_web_are_taken_and_nothing_else() {
        assert_eq!(address("HTTPS://Example.com/a?b#c").unwrap().as_str(), "https://example.com/a?b");
        for text in
            ["", "example.com", "file:///etc/passwd", "ftp://x/", "https://a:b@x/", "http://", "javascript:1"]
        {
            assert_eq!(address(text).unwrap_err().code, Code::InvalidParam, "{text}");
        }
        assert!(address(&format!("https://x/{}", "a".repeat(3_000))).is_err());
    }

    #[test]
    fn one_language_is_asked_for() {
        for (said, asked) in [
            (Some("pl-PL,pl;q=0.9,en;q=0.8"), "pl-pl"),
            (Some(" uk ; q=1"), "uk"),
            (Some("*"), "en"),
            (Some("x\r\ny"), "en"),
            (Some(""), "en"),
            (None, "en"),
        ] {
            assert_eq!(language(said), asked, "{said:?}");
        }
    }

    #[test]
    fn a_picture_is_found_relative_to_the_page_or_its_base() {
        let page = |image: &str, base: Option<&str>| Page {
            image: Some(image.to_owned()),
            base: base.map(str::to_owned),
            ..Page::default()
        };
        let at = |page: &Page| picture_address("https://x.example/a/b", page).map(String::from);
        assert_eq!(at(&page("c.png", None)).as_deref(), Some("https://x.example/a/c.png"));
        assert_eq!(at(&page("c.png", Some("/z/"))).as_deref(), Some("https://x.example/z/c.png"));
        assert_eq!(at(&page("//cdn.example/c.png", None)).as_deref(), Some("https://cdn.example/c.png"));
        assert_eq!(at(&page("data:image/png;base64,AA", None)), None);
        assert_eq!(at(&page("file:///etc/passwd", None)), None);
    }
}
