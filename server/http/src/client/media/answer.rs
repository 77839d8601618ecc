//! Putting the answer of a download together: fields that keep a hostile file harmless, the parts
//! that are asked for, and "you have it already".

use super::ranges::{Wanted, wanted};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use kontor_media::Content;
use kontor_model::{Error, Guard, Result};
use serde_json::json;
use std::ops::Range;
use std::sync::Arc;

/// A file on its way out.
pub(super) struct Served<'a> {
    /// Its bytes.
    pub content: Content,
    /// As the uploader said, or as the server made it.
    pub content_type: &'a str,
    /// Whether it is shown or saved, and under which name.
    pub disposition: HeaderValue,
    /// A name of the content that changes when the content does; hexadecimal to begin with.
    pub tag: &'a str,
    /// Asked between the pieces.
    pub guard: Arc<dyn Guard>,
}

/// Fields of every file. The policy is the one that the specification recommends: should a browser
/// show the file as a page after all, then one that can do nothing.
const FIELDS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; \
         style-src 'unsafe-inline'; object-src 'self';",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    // A content never changes, and belongs to whoever was allowed to fetch it.
    (header::CACHE_CONTROL, "private, max-age=31536000, immutable"),
    (header::ACCEPT_RANGES, "bytes"),
];

/// Letters of a tag that tell the parts of an answer apart: a content cannot hold its own digest.
const BOUNDARY: usize = 60;

/// The answer to a request with these fields.
pub(super) fn answer(served: Served<'_>, request: &HeaderMap) -> Result<Response> {
    let tag = value(&format!("\"{}\"", served.tag))?;
    let mut response = if is_known(request, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match asked(request, &tag, served.content.size) {
            Wanted::Whole => whole(&served)?,
            Wanted::Unsatisfiable => unsatisfiable(served.content.size)?,
            Wanted::Parts(parts) => match parts.as_slice() {
                [part] => single(&served, part.clone())?,
                _ => several(&served, parts)?,
            },
        }
    };
    let headers = response.headers_mut();
    for (name, text) in FIELDS {
        headers.insert(name, HeaderValue::from_static(text));
    }
    headers.insert(header::ETAG, tag);
    Ok(response)
}

/// Whether the client has this content already (`If-None-Match`).
fn is_known(request: &HeaderMap, tag: &HeaderValue) -> bool {
    let fields = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|field| field.to_str().ok());
    let mut tags = fields.flat_map(|field| field.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// What is asked for: parts only of the content that the client thinks it has (`If-Range`). A date
/// there never fits: contents have none.
fn asked(request: &HeaderMap, tag: &HeaderValue, size: u64) -> Wanted {
    let same = request.get(header::IF_RANGE).is_none_or(|known| known == tag);
    let range = request.get(header::RANGE).filter(|_| same).and_then(|field| field.to_str().ok());
    range.map_or(Wanted::Whole, |field| wanted(field, size))
}

fn whole(served: &Served<'_>) -> Result<Response> {
    let size = served.content.size;
    response(served, StatusCode::OK, served.content_type, size, body(served, 0..size))
}

fn single(served: &Served<'_>, part: Range<u64>) -> Result<Response> {
    let place = value(&content_range(&part, served.content.size))?;
    let length = part.end - part.start;
    let body = body(served, part);
    let mut response = response(served, StatusCode::PARTIAL_CONTENT, served.content_type, length, body)?;
    response.headers_mut().insert(header::CONTENT_RANGE, place);
    Ok(response)
}

fn several(served: &Served<'_>, parts: Vec<Range<u64>>) -> Result<Response> {
    let boundary = served.tag.get(..BOUNDARY).unwrap_or(served.tag);
    let mut length = 0;
    let mut bodies = Vec::new();
    for part in parts {
        let place = content_range(&part, served.content.size);
        let kind = served.content_type;
        let head = format!("\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {place}\r\n\r\n");
        length += head.len() as u64 + (part.end - part.start);
        bodies.push(text(head));
        bodies.push(body(served, part));
    }
    let tail = format!("\r\n--{boundary}--\r\n");
    length += tail.len() as u64;
    bodies.push(text(tail));
    let content_type = format!("multipart/byteranges; boundary={boundary}");
    let body = stream::iter(bodies).flatten().boxed();
    response(served, StatusCode::PARTIAL_CONTENT, &content_type, length, body)
}

fn unsatisfiable(size: u64) -> Result<Response> {
    let error = json!({ "errcode": "M_UNKNOWN", "error": "The file does not have the parts asked for." });
    let mut response = (StatusCode::RANGE_NOT_SATISFIABLE, axum::Json(error)).into_response();
    response.headers_mut().insert(header::CONTENT_RANGE, value(&format!("bytes */{size}"))?);
    Ok(response)
}

type Pieces = BoxStream<'static, std::io::Result<Bytes>>;

fn body(served: &Served<'_>, part: Range<u64>) -> Pieces {
    served.content.part(part, Arc::clone(&served.guard)).boxed()
}

fn text(text: String) -> Pieces {
    stream::iter([Ok(Bytes::from(text))]).boxed()
}

fn response(
    served: &Served<'_>,
    status: StatusCode,
    content_type: &str,
    length: u64,
    body: Pieces,
) -> Result<Response> {
    let mut response = (status, Body::from_stream(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, value(content_type)?);
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::CONTENT_DISPOSITION, served.disposition.clone());
    Ok(response)
}

fn content_range(part: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1))
}

fn value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(Error::internal)
}
