//! Content of member events: who somebody is in a room.

use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedUserId};

/// What member events repeat of a user's profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Display name.
    pub displayname: Option<String>,
    /// Avatar, an `mxc://` URI.
    pub avatar_url: Option<String>,
}

impl Profile {
    /// The profile that a member event shows; whatever is not of the expected kind is left out.
    pub fn read(content: &[u8]) -> Self {
        #[derive(serde::Deserialize)]
        struct Content {
            displayname: Option<serde_json::Value>,
            avatar_url: Option<serde_json::Value>,
        }
        let text = |value: Option<serde_json::Value>| value.and_then(|v| v.as_str().map(str::to_owned));
        let content = serde_json::from_slice::<Content>(content).ok();
        content.map_or_else(Self::default, |content| Self {
            displayname: text(content.displayname),
            avatar_url: text(content.avatar_url),
        })
    }
}

/// A user with the profile that goes into member events.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user.
    pub user_id: OwnedUserId,
    /// The profile.
    pub profile: Profile,
}

/// A membership with what belongs to it.
#[derive(Clone, Debug, Default)]
pub struct Membership<'a> {
    /// join, invite, knock, leave, ban.
    pub membership: &'a str,
    /// The profile; memberships that end something carry none.
    pub profile: Option<&'a Profile>,
    /// Why, in the words of whoever changes it.
    pub reason: Option<&'a str>,
    /// Marks the invitations to a direct chat.
    pub is_direct: bool,
}

impl Membership<'_> {
    /// The content of the member event.
    pub fn content(&self) -> CanonicalJsonObject {
        let text = |text: &str| CanonicalJsonValue::String(text.to_owned());
        let mut content = CanonicalJsonObject::new();
        content.insert("membership".to_owned(), text(self.membership));
        let mut set = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                content.insert(key.to_owned(), text(value));
            }
        };
        set("reason", self.reason);
        if let Some(profile) = self.profile {
            set("displayname", profile.displayname.as_deref());
            set("avatar_url", profile.avatar_url.as_deref());
        }
        if self.is_direct {
            content.insert("is_direct".to_owned(), CanonicalJsonValue::Bool(true));
        }
        content
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kontor_model::json::to_canonical;

    #[test]
    fn absent_fields_are_left_out() {
        let bare = Membership { membership: "leave", ..Membership::default() };
        assert_eq!(to_canonical(&bare.content()).unwrap(), r#"{"membership":"leave"}"#);
        let profile = Profile { displayname: Some("Anna".into()), avatar_url: None };
        let invite =
            Membership { membership: "invite", profile: Some(&profile), reason: Some("hi"), is_direct: true };
        assert_eq!(
            to_canonical(&invite.content()).unwrap(),
            r#"{"displayname":"Anna","is_direct":true,"membership":"invite","reason":"hi"}"#
        );
    }
}
