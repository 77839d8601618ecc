//! Files of employees on their way to Telegram: passed through as they come, never held whole.

use crate::Telegram;
use crate::api::Said;
use crate::config::API_URL;
use crate::send::{Way, set};
use crate::words;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, once};
use kontor_bridge_kit::{Context, Download, Failure, FileKind, OutFile, Outcome, Outgoing, SendError};
use kontor_model::{Code, Result as Done};
use serde_json::Value;

/// What Telegram takes of a bot, bytes.
const LARGEST: u64 = 50 << 20;
/// And what a Bot API server of one's own takes.
const LARGEST_AT_OWN: u64 = 2000 << 20;
/// Larger pictures are sent as files.
const LARGEST_PHOTO: u64 = 10 << 20;

/// By which method a file is sent, and in which field.
fn method(file: &OutFile, size: Option<u64>, as_file: bool) -> (&'static str, &'static str) {
    let small = size.is_none_or(|size| size <= LARGEST_PHOTO);
    match (file.kind, file.media_type.as_str()) {
        _ if as_file => ("sendDocument", "document"),
        (FileKind::Image, "image/gif") => ("sendAnimation", "animation"),
        (FileKind::Image, "image/jpeg" | "image/png" | "image/webp") if small => ("sendPhoto", "photo"),
        (FileKind::Video, "video/mp4") => ("sendVideo", "video"),
        (FileKind::Voice, "audio/ogg" | "audio/mpeg" | "audio/mp4") => ("sendVoice", "voice"),
        (FileKind::Voice, kind) if kind.starts_with("audio/ogg") => ("sendVoice", "voice"),
        (FileKind::Audio, "audio/mpeg" | "audio/mp4") => ("sendAudio", "audio"),
        _ => ("sendDocument", "document"),
    }
}

/// A name that can stand in a form.
fn plain_name(name: &str) -> String {
    let name: String =
        name.chars().map(|c| if c.is_control() || c == '"' || c == '\\' { '_' } else { c }).collect();
    if name.is_empty() { "file".to_owned() } else { name.chars().take(200).collect() }
}

/// A form of these fields and one file.
fn form(
    boundary: &str,
    params: &Value,
    field: &str,
    file: &OutFile,
    download: Download,
) -> (BoxStream<'static, Done<Bytes>>, Option<u64>) {
    let mut head = String::new();
    for (name, value) in params.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        head.push_str(&format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    let known = file.media_type.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let media_type = if known { file.media_type.as_str() } else { "application/octet-stream" };
    head.push_str(&format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"{field}\"; filename=\"{}\"\r\n\
         content-type: {media_type}\r\n\r\n",
        plain_name(&file.name)
    ));
    let tail = format!("\r\n--{boundary}--\r\n");
    let around = (head.len() + tail.len()) as u64;
    let size = download.size.map(|size| size + around);
    let part = |text: String| once(async move { Ok(Bytes::from(text)) });
    (part(head).chain(download.bytes).chain(part(tail)).boxed(), size)
}

impl Telegram {
    /// Sends a file in one way. An outcome inside when Telegram did not have to be asked.
    pub(crate) async fn send_file(
        &self,
        context: &Context,
        outgoing: &Outgoing,
        file: &OutFile,
        reply_to: Option<&str>,
        way: &Way,
    ) -> Result<Result<Said, Outcome>, SendError> {
        let language = outgoing.to.language;
        let never = |failure: Failure| Ok(Err(Outcome::Failed(failure)));
        let most = if self.settings.api_url == API_URL { LARGEST } else { LARGEST_AT_OWN };
        if file.size.is_some_and(|size| size > most) {
            return never(words::file_too_large(language));
        }
        let download = match context.open_media(&file.mxc).await {
            Ok(download) => download,
            Err(error) if error.code == Code::NotFound => {
                return never(words::rejected(language, 404, "the file is gone"));
            }
            Err(error) => return Err(SendError::unwritten(error)),
        };
        if download.size.is_some_and(|size| size > most) {
            return never(words::file_too_large(language));
        }
        let (method, field) = method(file, download.size.or(file.size), way.as_file);
        let mut params = way.base();
        if let Some(caption) = &file.caption {
            set(&mut params, "caption", Value::String(caption.trim().to_owned()));
        }
        if let Some(reply) = way.reply_parameters(reply_to) {
            set(&mut params, "reply_parameters", reply);
        }
        // Nobody can guess where the form ends.
        let boundary: String = context.token().chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        let (body, size) = form(&boundary, &params, field, file, download);
        let media_type = format!("multipart/form-data; boundary={boundary}");
        Ok(Ok(self.api.upload(context, method, media_type, body, size).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(kind: FileKind, media_type: &str) -> OutFile {
        OutFile {
            mxc: "mxc://a/b".to_owned(),
            name: "a\"\r\nb.png".to_owned(),
            media_type: media_type.to_owned(),
            size: None,
            kind,
            caption: None,
        }
    }

    #[test]
    fn files_are_sent_as_what_they_are() {
        let by = |kind, media_type, size| method(&file(kind, media_type), size, false).0;
        assert_eq!(by(FileKind::Image, "image/png", Some(5)), "sendPhoto");
        assert_eq!(by(FileKind::Image, "image/png", Some(11 << 20)), "sendDocument");
        assert_eq!(by(FileKind::Image, "image/svg+xml", None), "sendDocument");
        assert_eq!(by(FileKind::Image, "image/gif", None), "sendAnimation");
        assert_eq!(by(FileKind::Video, "video/mp4", None), "sendVideo");
        assert_eq!(by(FileKind::Video, "video/quicktime", None), "sendDocument");
        assert_eq!(by(FileKind::Voice, "audio/ogg; codecs=opus", None), "sendVoice");
        assert_eq!(by(FileKind::Audio, "audio/mpeg", None), "sendAudio");
        assert_eq!(method(&file(FileKind::Image, "image/png"), None, true).0, "sendDocument");
    }

    #[tokio::test]
    async fn a_form_holds_its_file_and_knows_its_size() {
        let bytes = once(async { Ok(Bytes::from_static(b"contents")) }).boxed();
        let download = Download { media_type: None, size: Some(8), bytes };
        let params = serde_json::json!({ "chat_id": 5, "caption": "x" });
        let (body, size) = form("b", &params, "photo", &file(FileKind::Image, "image/png"), download);
        let chunks: Vec<Bytes> = body.map(|chunk| chunk.unwrap()).collect().await;
        let whole = String::from_utf8(chunks.concat()).unwrap();
        assert_eq!(size, Some(whole.len() as u64));
        assert!(
            whole.contains("filename=\"a___b.png\"\r\ncontent-type: image/png\r\n\r\ncontents\r\n--b--"),
            "{whole}"
        );
        assert!(whole.contains("name=\"chat_id\"\r\n\r\n5\r\n"), "{whole}");
    }
}
