//! Files that visitors send: one file and its `client_id` in a multipart form, checked before it is kept.

use crate::clean;
use crate::config::FileRules;
use bytes::Bytes;
use futures_util::stream;
use kontor_bridge_kit::HookRequest;
use kontor_model::{Code, Error, Result};
use std::convert::Infallible;

/// A file.
#[derive(Debug)]
pub struct Sent {
    /// The page's id of the message.
    pub client_id: String,
    /// Name to show.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// Contents.
    pub bytes: Bytes,
}

fn broken(cause: multer::Error) -> Error {
    Error::bad_json("The upload cannot be read.").because(cause)
}

fn too_large(rules: &FileRules) -> Error {
    let most = rules.largest >> 20;
    Error::new(Code::TooLarge, format!("The file is too large: at most {most} MB."))
}

/// Reads and checks an upload.
///
/// # Errors
/// `BadJson` when it is no upload, `TooLarge`, and `Unprocessable` when the file is of a kind that is not
/// taken or is not what it says.
pub async fn read(request: &HookRequest, rules: &FileRules) -> Result<Sent> {
    if !rules.enabled {
        return Err(Error::new(Code::Unprocessable, "Files are not taken here."));
    }
    let kind = request.header("content-type").unwrap_or_default();
    let boundary = multer::parse_boundary(kind).map_err(broken)?;
    let whole = stream::iter([Ok::<_, Infallible>(request.body.clone())]);
    let mut parts = multer::Multipart::new(whole, boundary);
    let (mut client_id, mut file) = (None, None);
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        match part.name() {
            Some("client_id") => client_id = Some(part.text().await.map_err(broken)?),
            Some("file") => {
                let name = part.file_name().map(|name| clean::line(name, 120)).unwrap_or_default();
                let kind = part.content_type().map(|kind| kind.essence_str().to_owned()).unwrap_or_default();
                file = Some((name, kind, part.bytes().await.map_err(broken)?));
            }
            _ => {}
        }
    }
    let missing = || Error::bad_json("An upload has a client_id and a file.");
    let (name, media_type, bytes) = file.ok_or_else(missing)?;
    let client_id = client_id.ok_or_else(missing)?;
    if bytes.len() > rules.largest {
        return Err(too_large(rules));
    }
    if bytes.is_empty() {
        return Err(Error::new(Code::Unprocessable, "The file is empty."));
    }
    let media_type = media_type.to_ascii_lowercase();
    if !rules.types.contains(&media_type) || !begins_like(&media_type, &bytes) {
        return Err(Error::new(Code::Unprocessable, "Files of this kind are not taken here."));
    }
    // No paths: the name is only to be shown.
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().trim().to_owned();
    let name = if name.is_empty() { "file".to_owned() } else { name };
    Ok(Sent { client_id, name, media_type, bytes })
}

/// Whether contents begin as the media type promises. Types without a beginning of their own may be anything.
fn begins_like(media_type: &str, bytes: &[u8]) -> bool {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    match media_type {
        "image/png" => starts(b"\x89PNG\r\n\x1a\n"),
        "image/jpeg" => starts(b"\xff\xd8\xff"),
        "image/gif" => starts(b"GIF87a") || starts(b"GIF89a"),
        "image/webp" => starts(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"),
        "application/pdf" => starts(b"%PDF-"),
        "text/plain" => !bytes.contains(&0),
        "application/msword" | "application/vnd.ms-excel" => starts(b"\xd0\xcf\x11\xe0"),
        "application/zip" => starts(b"PK"),
        office if office.starts_with("application/vnd.o") => starts(b"PK\x03\x04"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sent(name: &str, kind: &str, bytes: &[u8]) -> Result<Sent> {
        let head = format!(
            "--b\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\n12345678\r\n--b\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n"
        );
        let body = [head.as_bytes(), bytes, b"\r\n--b--\r\n"].concat();
        let request = HookRequest {
            method: "POST".to_owned(),
            path: String::new(),
            query: String::new(),
            headers: vec![("content-type".to_owned(), "multipart/form-data; boundary=b".to_owned())],
            body: body.into(),
            remote: [127, 0, 0, 1].into(),
            at: 0,
        };
        read(&request, &FileRules { largest: 1000, ..FileRules::default() }).await
    }

    #[tokio::test]
    async fn a_file_is_what_it_says_or_is_not_taken() {
        let good = sent("../../oferta ą.pdf", "application/pdf", b"%PDF-1.7 x").await.unwrap();
        assert_eq!((good.name.as_str(), good.client_id.as_str()), ("oferta ą.pdf", "12345678"));
        assert_eq!(good.bytes, Bytes::from_static(b"%PDF-1.7 x"));
        for (kind, bytes) in [
            ("image/png", &b"<script>"[..]),
            ("application/pdf", b"PK\x03\x04"),
            ("text/html", b"<b>x</b>"),
            ("image/svg+xml", b"<svg/>"),
            ("application/x-msdownload", b"MZ"),
            ("text/plain", b"a\0b"),
            ("text/plain", b""),
        ] {
            assert_eq!(sent("a", kind, bytes).await.unwrap_err().code, Code::Unprocessable, "{kind}");
        }
        assert_eq!(sent("a", "text/plain", &[b'x'; 1001]).await.unwrap_err().code, Code::TooLarge);
    }
}
