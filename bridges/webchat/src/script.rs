//! The widget as it is served: one script, named by its contents.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kontor_bridge_kit::proof::sha256_hex;
use kontor_bridge_kit::{HookRequest, Reply, Status};
use ring::digest::{SHA384, digest};
use std::sync::LazyLock;

/// The script with its names.
pub struct Script {
    /// What is served.
    pub text: &'static str,
    /// File name that changes with the contents: `widget.HASH.js`.
    pub name: String,
    /// For the `integrity` attribute of a page that wants exactly this one.
    pub integrity: String,
}

/// Made from `widget.js` by `widget/build.mjs`; the first line says from which.
const SERVED: &str = include_str!("../widget/widget.min.js");

static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    let text = SERVED.split_once('\n').map_or(SERVED, |(_, text)| text);
    let hash: String = sha256_hex(text.as_bytes()).chars().take(16).collect();
    let integrity = format!("sha384-{}", STANDARD.encode(digest(&SHA384, text.as_bytes()).as_ref()));
    Script { text, name: format!("widget.{hash}.js"), integrity }
});

/// The script.
pub fn script() -> &'static Script {
    &SCRIPT
}

/// Answers for `widget.js` and for the name with the hash; `None` for other files.
pub fn serve(file: &str, request: &HookRequest) -> Option<Reply> {
    let script = script();
    let cache = match file {
        "widget.js" => "public, max-age=300, stale-while-revalidate=86400",
        name if name == script.name => "public, max-age=31536000, immutable",
        _ => return None,
    };
    let etag = format!("\"{}\"", script.name);
    let known = request.header("if-none-match").is_some_and(|tags| tags.contains(&etag));
    let reply = if known {
        Reply::empty(Status::NotModified)
    } else {
        Reply::of(Status::Ok, "text/javascript; charset=utf-8", script.text)
    };
    let reply = reply.with("cache-control", cache).with("etag", etag);
    Some(reply.with("cross-origin-resource-policy", "cross-origin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest script that pages are asked to load, bytes.
    const LARGEST: usize = 20_000;

    #[test]
    fn the_script_is_small_and_asks_nobody_else() {
        let text = script().text;
        assert!(text.len() <= LARGEST, "{} bytes are served", text.len());
        // The name of SVG is an address, but nobody goes there.
        let text = text.replace("http://www.w3.org/2000/svg", "").replace("https?:", "");
        for foreign in [
            "https:",
            "http:",
            "//",
            "innerHTML",
            "outerHTML",
            "eval(",
            "document.write",
            "import(",
            "insertAdjacentHTML",
        ] {
            assert!(!text.contains(foreign), "{foreign} in the widget");
        }
    }

    #[test]
    fn what_is_served_was_made_from_what_is_read() {
        let source = sha256_hex(include_bytes!("../widget/widget.js"));
        let made = SERVED.lines().next().unwrap();
        assert!(made.contains(&source), "run `npm install && npm run build` in widget/");
    }

    #[test]
    fn the_integrity_is_that_of_what_is_served() {
        let script = script();
        let expected = STANDARD.encode(digest(&SHA384, script.text.as_bytes()).as_ref());
        assert_eq!(script.integrity, format!("sha384-{expected}"));
        assert!(script.text.starts_with("(()"), "no comment is served");
        assert!(include_str!("../README.md").contains(&script.integrity), "the README has another one");
    }
}
