//! How a command fails: a sentence for the person and an exit code for the script.

/// Exit code of a failure that none of the others names: no connection, an answer that is not
/// understood.
const OTHER: u8 = 1;
/// The command was written wrongly, or a value is not acceptable.
const USAGE: u8 = 2;
/// What the command names does not exist.
const NOT_FOUND: u8 = 3;
/// The server does not allow it.
const REFUSED: u8 = 4;
/// It exists already, or changed at the same time.
const CONFLICT: u8 = 5;

/// Why a command did not do what was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// Exit code.
    pub code: u8,
    /// What happened and what to do next.
    pub sentence: String,
}

impl Failure {
    /// A failure that no script needs to tell apart.
    pub fn other(sentence: impl Into<String>) -> Self {
        Self { code: OTHER, sentence: sentence.into() }
    }

    /// The command was written wrongly.
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self { code: USAGE, sentence: sentence.into() }
    }

    /// Whether what was to be made exists already.
    pub fn is_conflict(&self) -> bool {
        self.code == CONFLICT
    }

    /// The server answered with an error: its status, its Matrix error code, and the sentence.
    pub fn answered(status: u16, errcode: &str, sentence: String) -> Self {
        let code = match (errcode, status) {
            ("M_USER_IN_USE" | "M_ROOM_IN_USE", _) | (_, 409) => CONFLICT,
            ("M_NOT_FOUND" | "M_UNRECOGNIZED", _) | (_, 404) => NOT_FOUND,
            (_, 401 | 403 | 429) => REFUSED,
            (_, 400..=499) => USAGE,
            _ => OTHER,
        };
        Self { code, sentence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_follow_the_error_code_before_the_status() {
        for (status, errcode, code) in [
            (400, "M_USER_IN_USE", 5),
            (409, "M_UNKNOWN", 5),
            (404, "M_NOT_FOUND", 3),
            (401, "M_UNKNOWN_TOKEN", 4),
            (403, "M_FORBIDDEN", 4),
            (429, "M_LIMIT_EXCEEDED", 4),
            (400, "M_INVALID_USERNAME", 2),
            (500, "M_UNKNOWN", 1),
            (502, "", 1),
        ] {
            assert_eq!(Failure::answered(status, errcode, String::new()).code, code, "{status} {errcode}");
        }
    }
}
