//! How far a long command is: a bar on a terminal, plain lines elsewhere. On the error output, so that what the command
//! writes can be piped on.

use super::Said;
use crate::language::Language;
use std::io::{IsTerminal as _, Write as _};

/// Signs of the whole bar.
const WIDTH: usize = 30;

/// How far it is.
pub struct Progress {
    all: usize,
    terminal: bool,
    language: Language,
}

impl Progress {
    /// Of so many.
    pub fn of(all: usize, language: Language) -> Self {
        Self { all, terminal: std::io::stderr().is_terminal(), language }
    }

    /// So many are done.
    pub fn at(&self, done: usize) {
        let line = match self.terminal {
            true => format!("\r{} {done}/{}", bar(done, self.all), self.all),
            false => {
                let words = [("done", done.to_string()), ("all", self.all.to_string())];
                let words: Vec<(&str, &str)> =
                    words.iter().map(|(name, word)| (*name, word.as_str())).collect();
                format!("{}\n", Said::Progress.with(self.language, &words))
            }
        };
        let mut out = std::io::stderr().lock();
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }

    /// Nothing more comes.
    pub fn end(&self) {
        if self.terminal && self.all > 0 {
            let _ = std::io::stderr().lock().write_all(b"\n");
        }
    }
}

fn bar(done: usize, all: usize) -> String {
    let full = (WIDTH * done.min(all)).checked_div(all).unwrap_or(WIDTH);
    format!("[{}{}]", "#".repeat(full), "-".repeat(WIDTH - full))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_bar_is_as_long_as_what_is_done() {
        assert_eq!(super::bar(0, 2), format!("[{}]", "-".repeat(30)));
        assert_eq!(super::bar(1, 2), format!("[{}{}]", "#".repeat(15), "-".repeat(15)));
        assert_eq!(super::bar(5, 2), super::bar(0, 0));
    }
}
