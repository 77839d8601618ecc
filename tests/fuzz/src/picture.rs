//! Uploaded files: what they are by their first bytes, and what is read of pictures. A picture that is
//! made small is one, and small.

use kontor_media::Kind;
use kontor_media::thumbnail::{Method, Rendered, Wanted, dimensions, render};
use std::io::Cursor;
use std::sync::Mutex;

/// Largest picture that is made small here, pixels: larger ones take long, and no other way.
const MOST_PIXELS: u64 = 1 << 18;

/// Content types that a browser shows as pages or runs.
const ACTIVE: [&str; 5] =
    ["text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript", "application/pdf"];

pub(crate) fn run(data: &[u8]) {
    let kind = Kind::of(data.get(..1_024).unwrap_or(data));
    assert_eq!(Kind::from_word(kind.word()), kind);
    assert!(!ACTIVE.iter().any(|content_type| kind.is_inline(content_type)), "{kind:?}");
    let markup = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data).trim_ascii_start().starts_with(b"<");
    assert!(!markup || kind == Kind::Other, "markup is taken for {kind:?}");
    let Some((width, height)) = dimensions(data, kind) else { return };
    let pixels = u64::from(width) * u64::from(height);
    assert!(pixels > 0 && pixels <= 64_000_000, "{width}x{height}");
    if pixels > MOST_PIXELS {
        return;
    }
    let wanted = [
        (Wanted { width: 32, height: 32, method: Method::Crop, animated: false }, 32, 32),
        (Wanted { width: 1, height: 1, method: Method::Scale, animated: true }, 320, 240),
    ];
    for (wanted, widest, highest) in wanted {
        let (bytes, made) = match render(Cursor::new(data), kind, wanted, &Mutex::new(())) {
            // It is small itself, or its body is broken.
            Ok(Rendered::Original) => {
                assert!(width <= widest && height <= highest);
                continue;
            }
            Err(_) => continue,
            Ok(Rendered::Jpeg(bytes)) => (bytes, Kind::Jpeg),
            Ok(Rendered::Png(bytes)) => (bytes, Kind::Png),
        };
        assert_eq!(Kind::of(&bytes), made);
        let (made_width, made_height) = dimensions(&bytes, made).expect("a picture");
        assert!(made_width <= widest.min(width) && made_height <= highest.min(height));
    }
}
