//! Names of conversations. A business chat and a bot chat with the same person are two.

/// A conversation: of which bot, with whom, and in whose name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The bot.
    pub bot: i64,
    /// The account of the company that is written to; `None` when it is the bot itself. The connection's id
    /// is another one whenever the owner connects anew; the owner's id stays.
    pub owner: Option<i64>,
    /// The chat.
    pub chat: i64,
}

impl Lane {
    /// The name.
    pub fn name(&self) -> String {
        match self.owner {
            Some(owner) => format!("tg:{}:{owner}:{}", self.bot, self.chat),
            None => format!("tg:{}:-:{}", self.bot, self.chat),
        }
    }

    /// The conversation of a name.
    pub fn of(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix("tg:")?.split(':');
        let bot = parts.next()?.parse().ok()?;
        let owner = match parts.next()? {
            "-" => None,
            owner => Some(owner.parse().ok()?),
        };
        let chat = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(Self { bot, owner, chat })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_conversations_are_the_same_thing() {
        for lane in [
            Lane { bot: 1, owner: None, chat: 2 },
            Lane { bot: 1, owner: Some(3), chat: 2 },
            Lane { bot: 1, owner: None, chat: -1_001_234_567_890 },
        ] {
            assert_eq!(Lane::of(&lane.name()), Some(lane));
        }
        for odd in ["", "tg", "tg:1:2", "tg:1:-:2:3", "tg:x:-:2", "web:1:-:2"] {
            assert_eq!(Lane::of(odd), None, "{odd}");
        }
    }
}
