//! What a file is, by its first bytes. A client's word for it is kept and handed on, but only a
//! file that looks like what it is said to be may be shown inside a page.

/// How many of the first bytes are looked at.
pub(crate) const HEAD: usize = 1_024;

/// What the first bytes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// JPEG picture.
    Jpeg,
    /// PNG picture, moving or not.
    Png,
    /// GIF picture, moving or not.
    Gif,
    /// WebP picture, moving or not.
    Webp,
    /// AVIF picture.
    Avif,
    /// MP4, QuickTime and their like.
    IsoMedia,
    /// WebM and Matroska.
    Matroska,
    /// Ogg with any content.
    Ogg,
    /// MPEG audio.
    Mpeg,
    /// AAC audio as a plain stream.
    Aac,
    /// WAVE audio.
    Wave,
    /// FLAC audio.
    Flac,
    /// Characters, and no markup that a browser could take for a page.
    Text,
    /// Anything else: encrypted files, documents, pages.
    Other,
}

/// Every kind with the word that is stored for it.
const WORDS: [(Kind, &str); 14] = [
    (Kind::Jpeg, "jpeg"),
    (Kind::Png, "png"),
    (Kind::Gif, "gif"),
    (Kind::Webp, "webp"),
    (Kind::Avif, "avif"),
    (Kind::IsoMedia, "isomedia"),
    (Kind::Matroska, "matroska"),
    (Kind::Ogg, "ogg"),
    (Kind::Mpeg, "mpeg"),
    (Kind::Aac, "aac"),
    (Kind::Wave, "wave"),
    (Kind::Flac, "flac"),
    (Kind::Text, "text"),
    (Kind::Other, "other"),
];

impl Kind {
    /// Looks at the first bytes of a file (up to [`HEAD`]).
    pub fn of(head: &[u8]) -> Self {
        let at = |offset: usize, bytes: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(bytes));
        match head {
            _ if at(0, b"\xff\xd8\xff") => Self::Jpeg,
            _ if at(0, b"\x89PNG\r\n\x1a\n") => Self::Png,
            _ if at(0, b"GIF87a") || at(0, b"GIF89a") => Self::Gif,
            _ if at(0, b"RIFF") && at(8, b"WEBP") => Self::Webp,
            _ if at(0, b"RIFF") && at(8, b"WAVE") => Self::Wave,
            _ if at(4, b"ftypavif") || at(4, b"ftypavis") => Self::Avif,
            _ if at(4, b"ftyp") => Self::IsoMedia,
            _ if at(0, b"\x1a\x45\xdf\xa3") => Self::Matroska,
            _ if at(0, b"OggS\0") => Self::Ogg,
            _ if at(0, b"fLaC") => Self::Flac,
            _ if at(0, b"ID3") => Self::Mpeg,
            [0xff, second, ..] if second & 0xf6 == 0xf0 => Self::Aac,
            [0xff, second, ..] if second & 0xe0 == 0xe0 && matches!(second & 6, 2 | 4) => Self::Mpeg,
            _ if is_text(head) => Self::Text,
            _ => Self::Other,
        }
    }

    /// The word that is stored.
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(kind, _)| *kind == self).map_or("other", |(_, word)| word)
    }

    /// The kind of a stored word.
    pub fn from_word(word: &str) -> Self {
        WORDS.iter().find(|(_, known)| *known == word).map_or(Self::Other, |(kind, _)| *kind)
    }

    /// Whether a file of this kind, said to be of `content_type`, may be shown inside a page: the
    /// type is one that the specification ("Serving inline content") calls safe, and true.
    pub fn is_inline(self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let said = match essence.as_str() {
            "text/css" | "text/plain" | "text/csv" | "application/json" | "application/ld+json" => Self::Text,
            "image/jpeg" => Self::Jpeg,
            "image/gif" => Self::Gif,
            "image/png" | "image/apng" => Self::Png,
            "image/webp" => Self::Webp,
            "image/avif" => Self::Avif,
            "video/mp4" | "video/quicktime" | "audio/mp4" => Self::IsoMedia,
            "video/webm" | "audio/webm" => Self::Matroska,
            "video/ogg" | "audio/ogg" => Self::Ogg,
            "audio/aac" => Self::Aac,
            "audio/mpeg" => Self::Mpeg,
            "audio/wave" | "audio/wav" | "audio/x-wav" | "audio/x-pn-wav" => Self::Wave,
            "audio/flac" | "audio/x-flac" => Self::Flac,
            _ => return false,
        };
        said == self
    }
}

/// Whether there is nothing but characters, and no markup at the start.
fn is_text(head: &[u8]) -> bool {
    let binary = |byte: &u8| matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    let start = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    !head.iter().any(binary) && !start.starts_with(b"<")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn files_are_told_by_their_first_bytes() {
        for (head, kind) in [
            (&b"\xff\xd8\xff\xe0\0\x10JFIF"[..], Kind::Jpeg),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Kind::Png),
            (b"GIF89a\x01\0\x01\0", Kind::Gif),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Kind::Webp),
            (b"RIFF\x10\0\0\0WAVEfmt ", Kind::Wave),
            (b"\0\0\0\x18ftypmp42", Kind::IsoMedia),
            (b"\0\0\0\x1cftypavif", Kind::Avif),
            (b"\x1a\x45\xdf\xa3\x01", Kind::Matroska),
            (b"OggS\0\x02", Kind::Ogg),
            (b"fLaC\0\0\0\x22", Kind::Flac),
            (b"ID3\x04", Kind::Mpeg),
            (b"\xff\xfb\x90\x64", Kind::Mpeg),
            (b"\xff\xf1\x50\x80", Kind::Aac),
            (b"hello\r\nworld\t\x1b[0m", Kind::Text),
            ("żółć".as_bytes(), Kind::Text),
            (b"{\"a\": 1}", Kind::Text),
            (b"", Kind::Text),
            (b"\xef\xbb\xbf \n<!DOCTYPE html>", Kind::Other),
            (b"<svg xmlns='http://www.w3.org/2000/svg'>", Kind::Other),
            (b"%PDF-1.7\n\x01", Kind::Other),
            (b"\0\x01\x02", Kind::Other),
            (b"\xff\xfea\0", Kind::Other),
            (b"\xff", Kind::Text),
        ] {
            assert_eq!(Kind::of(head), kind, "{head:?}");
        }
    }

    #[test]
    fn only_true_and_safe_types_are_shown_in_a_page() {
        let png = Kind::of(b"\x89PNG\r\n\x1a\n");
        assert!(png.is_inline("image/png") && png.is_inline("Image/PNG; x=y"));
        assert!(!Kind::of(b"<html>").is_inline("image/png"), "a page that is said to be a picture");
        assert!(!Kind::of(b"<html>").is_inline("text/plain"));
        assert!(!png.is_inline("text/plain"), "a picture that is said to be a text");
        for unsafe_type in ["text/html", "image/svg+xml", "application/pdf", "text/xml", "", "x", "text/"] {
            assert!(WORDS.iter().all(|(kind, _)| !kind.is_inline(unsafe_type)), "{unsafe_type}");
        }
    }

    #[test]
    fn words_are_read_back() {
        for (kind, word) in WORDS {
            assert_eq!((kind.word(), Kind::from_word(word)), (word, kind));
        }
        assert_eq!(Kind::from_word("from a newer version"), Kind::Other);
    }

    proptest! {
        #[test]
        fn any_bytes_are_of_some_kind(head in proptest::collection::vec(any::<u8>(), 0..64), content_type in ".*") {
            let _ = Kind::of(&head).is_inline(&content_type);
        }
    }
}
