//! Whose invitations a person takes (client-server API, "Invite permission"), with the unstable
//! forms that clients still write: MSC4380, which is the same, and MSC4155, which names people and
//! servers.

use kontor_model::Result;
use kontor_model::glob::wildcard;
use kontor_store::Source;
use kontor_store::identity::people::{self, InviteRuleRow};
use ruma::UserId;
use serde::Deserialize;

/// What becomes of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is delivered.
    Welcome,
    /// It is made, and the invited person is not told.
    Unseen,
    /// It is refused.
    Refused,
}

/// A person's rules.
#[derive(Debug, Default)]
pub(crate) struct InviteRules {
    refuses_all: bool,
    lists: Option<Lists>,
}

#[derive(Deserialize)]
struct Permission {
    default_action: Option<String>,
}

/// Patterns of user ids and servers, as MSC4155 writes them.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Lists {
    enabled: bool,
    allowed_users: Vec<String>,
    ignored_users: Vec<String>,
    blocked_users: Vec<String>,
    allowed_servers: Vec<String>,
    ignored_servers: Vec<String>,
    blocked_servers: Vec<String>,
}

impl Default for Lists {
    fn default() -> Self {
        Self {
            enabled: true,
            allowed_users: Vec::new(),
            ignored_users: Vec::new(),
            blocked_users: Vec::new(),
            allowed_servers: Vec::new(),
            ignored_servers: Vec::new(),
            blocked_servers: Vec::new(),
        }
    }
}

/// A person's own rules.
///
/// # Errors
/// See [`Source::all`].
pub(crate) async fn own<S: Source>(source: &mut S, user: &UserId) -> Result<InviteRules> {
    Ok(InviteRules::of(user.as_str(), &people::invite_rules(source, &[user]).await?))
}

impl InviteRules {
    /// The rules of one person out of those of several. What cannot be read says nothing.
    pub fn of(user_id: &str, rows: &[InviteRuleRow]) -> Self {
        let mut rules = Self::default();
        for row in rows.iter().filter(|row| row.user_id == user_id) {
            if row.kind == people::INVITE_LISTS {
                let lists = serde_json::from_str::<Lists>(&row.content).ok();
                rules.lists = lists.filter(|lists| lists.enabled);
            } else if let Ok(permission) = serde_json::from_str::<Permission>(&row.content) {
                rules.refuses_all |= permission.default_action.as_deref() == Some("block");
            }
        }
        rules
    }

    /// What becomes of an invitation by a user.
    pub fn verdict(&self, inviter: &str) -> Verdict {
        if self.refuses_all {
            return Verdict::Refused;
        }
        let Some(lists) = &self.lists else { return Verdict::Welcome };
        let server = inviter.split_once(':').map(|(_, server)| server).unwrap_or_default();
        // Users before servers, and each list before the stricter one.
        let order = [
            (&lists.allowed_users, inviter, Verdict::Welcome),
            (&lists.ignored_users, inviter, Verdict::Unseen),
            (&lists.blocked_users, inviter, Verdict::Refused),
            (&lists.allowed_servers, server, Verdict::Welcome),
            (&lists.ignored_servers, server, Verdict::Unseen),
            (&lists.blocked_servers, server, Verdict::Refused),
        ];
        let fits = |patterns: &[String], text: &str| patterns.iter().any(|pattern| wildcard(pattern, text));
        let found = order.into_iter().find(|(patterns, text, _)| fits(patterns, text));
        found.map_or(Verdict::Welcome, |(_, _, verdict)| verdict)
    }

    /// Whether an invitation that is there already is told to the invited person.
    pub fn shows(&self, inviter: &str) -> bool {
        self.verdict(inviter) == Verdict::Welcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(pieces: &[(&str, &str)]) -> InviteRules {
        let row = |(kind, content): &(&str, &str)| InviteRuleRow {
            user_id: "@me:x".into(),
            kind: (*kind).to_owned(),
            content: (*content).to_owned(),
        };
        let mut rows: Vec<_> = pieces.iter().map(row).collect();
        rows.push(InviteRuleRow {
            user_id: "@other:x".into(),
            kind: people::INVITE_PERMISSION.into(),
            content: r#"{"default_action":"block"}"#.into(),
        });
        InviteRules::of("@me:x", &rows)
    }

    #[test]
    fn who_blocks_all_takes_no_invitation_by_whichever_name_of_the_setting() {
        for kind in [people::INVITE_PERMISSION, people::INVITE_PERMISSION_UNSTABLE] {
            assert_eq!(rules(&[(kind, r#"{"default_action":"block"}"#)]).verdict("@a:x"), Verdict::Refused);
            for content in ["{}", r#"{"default_action":"allow"}"#, r#"{"default_action":1}"#, "[]"] {
                assert_eq!(rules(&[(kind, content)]).verdict("@a:x"), Verdict::Welcome, "{content}");
            }
        }
        assert!(rules(&[]).shows("@a:x"));
    }

    #[test]
    fn lists_are_asked_from_the_finest_and_mildest_to_the_coarsest_and_strictest() {
        let content = r#"{"allowed_users":["@friend:bad.example"],"ignored_users":["@bore*:x"],
            "blocked_users":["@foe:x","@bore1:x"],"allowed_servers":["good.example"],
            "ignored_servers":["dull.example"],"blocked_servers":["*.example"]}"#;
        let lists = rules(&[(people::INVITE_LISTS, content)]);
        for (inviter, verdict) in [
            ("@friend:bad.example", Verdict::Welcome),
            ("@bore1:x", Verdict::Unseen),
            ("@foe:x", Verdict::Refused),
            ("@a:good.example", Verdict::Welcome),
            ("@a:dull.example", Verdict::Unseen),
            ("@a:bad.example", Verdict::Refused),
            ("@a:x", Verdict::Welcome),
        ] {
            assert_eq!(lists.verdict(inviter), verdict, "{inviter}");
        }
        let off = content.replacen('{', r#"{"enabled":false,"#, 1);
        assert_eq!(rules(&[(people::INVITE_LISTS, &off)]).verdict("@foe:x"), Verdict::Welcome);
    }
}
