//! Source files, read once, in the shapes that rules look at.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::project;

/// One Rust source file.
pub struct Source {
    /// Path below the project's folder, with `/`.
    pub path: String,
    /// As it is.
    pub whole: String,
    /// Without comments and without what only tests see; same lines.
    pub text: String,
    /// As `text`, and without the contents of strings.
    pub code: String,
}

impl Source {
    /// Reads `whole` as if it were the file at `path`.
    pub fn new(path: &str, whole: &str) -> Self {
        Self::read(path, whole, is_test_file(path))
    }

    fn read(path: &str, whole: &str, only_tests: bool) -> Self {
        let (text, code) = strip(whole);
        let hidden = if only_tests { vec![(0, code.len())] } else { test_items(&code) };
        Self {
            path: path.to_owned(),
            whole: whole.to_owned(),
            text: blank(&text, &hidden),
            code: blank(&code, &hidden),
        }
    }

    /// True when the file lies in `folder`.
    pub fn in_folder(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The violations of "`code` never contains one of `words`", a sentence each.
    pub fn forbid(&self, words: &[&str], because: &str) -> Vec<String> {
        find(&self.path, &self.code, words, because)
    }

    /// As [`Self::forbid`], strings included.
    pub fn forbid_in_strings(&self, words: &[&str], because: &str) -> Vec<String> {
        find(&self.path, &self.text, words, because)
    }
}

fn find(path: &str, text: &str, words: &[&str], because: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in words.iter().filter(|word| contains_word(line, word)) {
            found.push(format!("{path}:{}: `{word}`: {because}", index + 1));
        }
    }
    found
}

/// True when `line` has `word` with no identifier character before it and, if the word ends in
/// one, none after it.
pub fn contains_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let open_start = !word.starts_with(part);
    let open_end = !word.ends_with(part);
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        (open_start || !before.is_some_and(part)) && (open_end || !after.is_some_and(part))
    })
}

/// Every Rust file of the project.
pub fn all() -> &'static [Source] {
    static ALL: OnceLock<Vec<Source>> = OnceLock::new();
    ALL.get_or_init(|| {
        let root = project();
        let mut files = Vec::new();
        for folder in ["server", "bridges", "admin-cli", "tests"] {
            collect(&root.join(folder), &mut files);
        }
        files.sort();
        let texts: Vec<(String, String)> = files.iter().map(|path| text_of(&root, path)).collect();
        from_texts(&texts)
    })
}

fn text_of(root: &Path, path: &Path) -> (String, String) {
    let whole = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let name = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
    (name, whole)
}

/// Sources of (path, text), where a file that another one declares under `#[cfg(test)]` is known
/// as one that only tests see.
fn from_texts(texts: &[(String, String)]) -> Vec<Source> {
    let only_tests: Vec<String> = texts.iter().flat_map(|(path, whole)| test_modules(path, whole)).collect();
    let is_test = |path: &str| {
        let module = path.trim_end_matches(".rs").trim_end_matches("/mod");
        let below = |root: &String| {
            module.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        is_test_file(path) || only_tests.iter().any(below)
    };
    texts.iter().map(|(path, whole)| Source::read(path, whole, is_test(path))).collect()
}

/// The files, without `.rs`, of the modules that `whole` declares under `#[cfg(test)]`.
fn test_modules(path: &str, whole: &str) -> Vec<String> {
    const CFG: &str = "#[cfg(test)]";
    let folder = match path.rsplit_once('/') {
        Some((folder, "lib.rs" | "main.rs" | "mod.rs")) => folder,
        _ => path.trim_end_matches(".rs"),
    };
    let (_, code) = strip(whole);
    let declared = code.match_indices(CFG).filter_map(|(at, _)| {
        let item = code[at + CFG.len()..].split([';', '{']).next()?;
        Some(item.split_once("mod ")?.1.trim())
    });
    declared.map(|name| format!("{folder}/{name}")).collect()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() && name != "node_modules" && name != "target" {
            collect(&path, into);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            into.push(path);
        }
    }
}

fn is_test_file(path: &str) -> bool {
    let in_tests = path.starts_with("tests/") || path.contains("/tests/");
    in_tests || path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

/// Gives (without comments, without comments and string contents). Every replaced byte becomes
/// a space, so that lines and offsets stay.
fn strip(whole: &str) -> (String, String) {
    let bytes = whole.as_bytes();
    let mut comments = Vec::new();
    let mut strings = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let end = if bytes[at..].starts_with(b"//") {
            let end = at + whole[at..].find('\n').unwrap_or(whole.len() - at);
            comments.push((at, end));
            end
        } else if bytes[at..].starts_with(b"/*") {
            let end = block_comment_end(bytes, at);
            comments.push((at, end));
            end
        } else if let Some((start, inner_end, end)) = string_at(bytes, at) {
            strings.push((start, inner_end));
            end
        } else if let Some(end) = char_literal_end(bytes, at) {
            strings.push((at + 1, end - 1));
            end
        } else {
            at + 1
        };
        at = end;
    }
    let text = blank(whole, &comments);
    let code = blank(&text, &strings);
    (text, code)
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// A string literal that starts here: (start of its contents, their end, end of the literal).
fn string_at(bytes: &[u8], at: usize) -> Option<(usize, usize, usize)> {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if bytes[at] == b'"' {
        let mut end = at + 1;
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let end = end.min(bytes.len());
        return Some((at + 1, end, (end + 1).min(bytes.len())));
    }
    let raw = bytes[at] == b'r' && (at == 0 || !part(&bytes[at - 1]) || bytes[at - 1] == b'b');
    let hashes = bytes.get(at + 1..)?.iter().take_while(|byte| **byte == b'#').count();
    let start = at + 1 + hashes;
    if !raw || bytes.get(start) != Some(&b'"') {
        return None;
    }
    let closing: Vec<u8> = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let rest = bytes.get(start + 1..)?;
    let length = rest.windows(closing.len()).position(|window| window == closing)?;
    let inner_end = start + 1 + length;
    Some((start + 1, inner_end, inner_end + closing.len()))
}

/// The end of a character literal that starts here; lifetimes are none.
fn char_literal_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes[at] != b'\'' {
        return None;
    }
    if bytes.get(at + 1) == Some(&b'\\') {
        let close = bytes.get(at + 3..)?.iter().position(|byte| *byte == b'\'')?;
        return Some(at + 3 + close + 1);
    }
    let text = std::str::from_utf8(bytes.get(at + 1..)?).ok()?;
    let end = at + 1 + text.chars().next()?.len_utf8();
    (bytes.get(end) == Some(&b'\'')).then_some(end + 1)
}

/// The ranges of items under `#[cfg(test)]` and of `#[test]` functions.
fn test_items(code: &str) -> Vec<(usize, usize)> {
    let starts = ["#[cfg(test)]", "#[cfg(all(test", "#[test]", "#[tokio::test"];
    let mut ranges = Vec::new();
    for start in starts {
        for (at, _) in code.match_indices(start) {
            ranges.push((at, item_end(code, at)));
        }
    }
    ranges
}

/// Where the item that starts at `at` ends: after its block, or after its semicolon.
pub fn item_end(code: &str, at: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && byte == b'}' {
                    return offset + 1;
                }
            }
            b';' if depth == 0 => return offset + 1,
            _ => {}
        }
    }
    code.len()
}

fn blank(text: &str, ranges: &[(usize, usize)]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for &(start, end) in ranges {
        for byte in &mut bytes[start..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    String::from_utf8(bytes).expect("whole characters were replaced")
}

#[test]
fn comments_strings_and_tests_are_told_from_code() {
    let source = Source::new(
        "server/x/src/a.rs",
        r##"//! one
fn a<'x>(b: &'x str) -> char { /* two /* three */ four */ let c = r#"five " six"#; '"' }
const D: &str = "sev\"en // eight"; // nine
#[cfg(test)]
mod tests { fn ten() { let eleven = "}"; } }
fn twelve() {}
"##,
    );
    for word in ["one", "two", "four", "nine", "ten", "eleven"] {
        assert!(!contains_word(&source.text, word), "{word} stayed in {}", source.text);
    }
    for word in ["five", "six", "eight"] {
        assert!(contains_word(&source.text, word), "{word} is missing in {}", source.text);
        assert!(!contains_word(&source.code, word), "{word} stayed in {}", source.code);
    }
    for word in ["a", "x", "str", "D", "twelve"] {
        assert!(contains_word(&source.code, word), "{word} is missing in {}", source.code);
    }
    assert_eq!(source.whole.lines().count(), source.code.lines().count());
}

#[test]
fn files_that_only_tests_see_are_told_from_others() {
    let texts = [
        ("server/x/src/lib.rs", "#[cfg(test)]\npub(crate) mod testing;\nmod real;"),
        ("server/x/src/testing.rs", "fn hidden() {}"),
        ("server/x/src/testing/more.rs", "fn hidden() {}"),
        ("server/x/src/real.rs", "fn seen() {}\n#[cfg(test)]\nmod deep;"),
        ("server/x/src/real/deep.rs", "fn hidden() {}"),
    ]
    .map(|(path, whole)| (path.to_owned(), whole.to_owned()));
    for source in from_texts(&texts) {
        assert!(!contains_word(&source.code, "hidden"), "{} is only for tests", source.path);
        assert_eq!(contains_word(&source.code, "seen"), source.path.ends_with("real.rs"), "{}", source.path);
    }
}
