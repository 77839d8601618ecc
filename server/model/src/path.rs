//! Dot-separated paths to properties of events (specification appendix, "Dot-separated property
//! paths"): `content.m\.relates_to.rel_type`.

/// The property names of a path, unescaped.
pub fn names(path: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut letters = path.chars().peekable();
    while let Some(letter) = letters.next() {
        let escaped = if letter == '\\' { letters.next_if(|next| matches!(next, '.' | '\\')) } else { None };
        match (letter, escaped) {
            ('.', None) => names.push(String::new()),
            (_, escaped) => {
                if let Some(name) = names.last_mut() {
                    name.push(escaped.unwrap_or(letter));
                }
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_the_specification() {
        assert_eq!(names("content.body"), ["content", "body"]);
        assert_eq!(names(r"content.m\.relates_to.rel_type"), ["content", "m.relates_to", "rel_type"]);
        assert_eq!(names(r"content.m\\foo"), ["content", r"m\foo"]);
        assert_eq!(names(r"content.m\foo"), ["content", r"m\foo"]);
        assert_eq!(names(""), [""]);
        assert_eq!(names(r"a\"), [r"a\"]);
    }
}
