//! A room as people outside it may know it: its card in the room directory, in a space, in a
//! preview (client-server API, "Published room directory", "Spaces", "Room summary").
//!
//! Only a [`Preview`] can be sent to a client, and only a [`Card`] whose reader may know the room
//! makes one.

use kontor_model::{Nid, RoomVersion};
use kontor_store::rooms::card::{CardRow, ChildRow};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use std::cmp::Ordering;
use std::collections::HashSet;

/// Type of rooms that group others.
pub const SPACE: &str = "m.space";

/// The longest `order` of a space's child that counts (specification, "m.space.child").
const LONGEST_ORDER: usize = 50;

/// A room from outside.
#[derive(Clone, Debug)]
pub struct Card {
    row: CardRow,
    join_rule: String,
    allowed: Vec<String>,
    room_type: Option<String>,
    world_readable: bool,
}

/// What everybody who may know of a room is told of it.
#[derive(Clone, Debug, Serialize)]
pub struct Public {
    room_id: String,
    num_joined_members: i64,
    world_readable: bool,
    guest_can_join: bool,
    join_rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canonical_alias: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_type: Option<String>,
}

/// A room as one reader is told of it who may know of it.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    #[serde(flatten)]
    public: Public,
    room_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_room_ids: Vec<String>,
    #[serde(skip)]
    room: Nid,
    #[serde(skip)]
    membership: Option<String>,
}

/// A child of a space, as those who may know of the space are told.
#[derive(Clone, Debug, Serialize)]
pub struct Child {
    #[serde(rename = "type")]
    kind: &'static str,
    state_key: String,
    sender: String,
    origin_server_ts: i64,
    content: Box<RawValue>,
    #[serde(skip)]
    order: Option<String>,
    #[serde(skip)]
    suggested: bool,
}

impl Card {
    /// Reads what the archive knows of a room.
    pub fn read(row: CardRow) -> Self {
        let text = |kind: &str, field: &str| text(&row, kind, field);
        // Without a join rule the rules of rooms let in by invitation only.
        let join_rule = text("m.room.join_rules", "join_rule").unwrap_or_else(|| "invite".to_owned());
        let rules = RoomVersion::parse(&row.version).ok().map(|version| version.rules.authorization);
        let restricted = rules.is_some_and(|rules| match join_rule.as_str() {
            "restricted" => rules.restricted_join_rule,
            "knock_restricted" => rules.knock_restricted_join_rule,
            _ => false,
        });
        let room_type = text("m.room.create", "type");
        let world_readable =
            text("m.room.history_visibility", "history_visibility").as_deref() == Some("world_readable");
        let allowed = if restricted { allowed(&row) } else { Vec::new() };
        Self { row, join_rule, allowed, room_type, world_readable }
    }

    /// Numeric id.
    pub fn room(&self) -> Nid {
        self.row.room
    }

    /// Matrix id.
    pub fn room_id(&self) -> &str {
        &self.row.room_id
    }

    /// Joined members.
    pub fn joined(&self) -> i64 {
        self.row.joined
    }

    /// The room's type; none for rooms to talk in.
    pub fn room_type(&self) -> Option<&str> {
        self.room_type.as_deref()
    }

    /// Whether it groups other rooms.
    pub fn is_space(&self) -> bool {
        self.room_type() == Some(SPACE)
    }

    /// The rooms whose members it lets in.
    pub fn allowed(&self) -> &[String] {
        &self.allowed
    }

    /// Name, topic and alias, for searching the room directory.
    pub fn words(&self) -> String {
        let parts = [
            text(&self.row, "m.room.name", "name"),
            topic(&self.row),
            text(&self.row, "m.room.canonical_alias", "alias"),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
    }

    /// Whether the reader may know of the room: is in, could come in, may knock, or may look in;
    /// `inside` are the rooms that the reader has joined, as far as [`Card::allowed`] names them.
    fn is_open_to(&self, inside: &HashSet<String>) -> bool {
        if self.world_readable {
            return true;
        }
        match self.row.membership.as_deref() {
            Some("join" | "invite") => return true,
            // Whoever is banned can neither join nor knock.
            Some("ban") => return false,
            _ => {}
        }
        let may_knock = RoomVersion::parse(&self.row.version).is_ok_and(|version| {
            let rules = version.rules.authorization;
            (self.join_rule == "knock" && rules.knocking)
                || (self.join_rule == "knock_restricted" && rules.knock_restricted_join_rule)
        });
        self.join_rule == "public" || may_knock || self.allowed.iter().any(|room| inside.contains(room))
    }

    /// The room for one reader; `None` when the reader may not know of it.
    pub fn preview(self, inside: &HashSet<String>) -> Option<Preview> {
        self.is_open_to(inside).then(|| self.told())
    }

    /// The room for everybody, if the directory shows it.
    pub fn published(self) -> Option<Public> {
        self.row.published.then(|| self.told().public)
    }

    /// The room for everybody, since somebody who may shows it.
    pub fn listed(self) -> Public {
        self.told().public
    }

    fn told(self) -> Preview {
        let row = &self.row;
        let guests = text(row, "m.room.guest_access", "guest_access").as_deref() == Some("can_join");
        let public = Public {
            num_joined_members: row.joined,
            world_readable: self.world_readable,
            guest_can_join: guests,
            name: text(row, "m.room.name", "name"),
            topic: topic(row),
            canonical_alias: text(row, "m.room.canonical_alias", "alias"),
            avatar_url: text(row, "m.room.avatar", "url"),
            room_id: row.room_id.clone(),
            join_rule: self.join_rule,
            room_type: self.room_type,
        };
        Preview {
            encryption: text(row, "m.room.encryption", "algorithm"),
            room_version: self.row.version,
            allowed_room_ids: self.allowed,
            room: self.row.room,
            membership: self.row.membership,
            public,
        }
    }
}

impl Preview {
    /// Numeric id.
    pub fn room(&self) -> Nid {
        self.room
    }

    /// The reader's membership, if there ever was one.
    pub fn membership(&self) -> Option<&str> {
        self.membership.as_deref()
    }

    /// Matrix id.
    pub fn room_id(&self) -> &str {
        &self.public.room_id
    }

    /// The algorithm by which its messages are encrypted.
    pub fn encryption(&self) -> Option<&str> {
        self.encryption.as_deref()
    }

    /// Whether it groups other rooms.
    pub fn is_space(&self) -> bool {
        self.public.room_type.as_deref() == Some(SPACE)
    }

    /// Of what the archive knows of children those of this space that count, in the order of the
    /// specification ("Ordering of children within a space").
    pub fn children(&self, rows: &[ChildRow]) -> Vec<Child> {
        if !self.is_space() {
            return Vec::new();
        }
        let own = rows.iter().filter(|row| row.space == self.room);
        let mut children: Vec<Child> = own.filter_map(Child::read).collect();
        children.sort_by(Child::compare);
        children
    }
}

impl Child {
    fn read(row: &ChildRow) -> Option<Self> {
        let content: Value = serde_json::from_str(&row.content).ok()?;
        // Without a list of servers a child was taken out.
        content.get("via")?.as_array().filter(|via| via.iter().any(Value::is_string))?;
        ruma::RoomId::parse(&row.child).ok()?;
        let fits =
            |order: &&str| order.len() <= LONGEST_ORDER && order.bytes().all(|b| (0x20..0x7f).contains(&b));
        Some(Self {
            kind: "m.space.child",
            state_key: row.child.clone(),
            sender: row.sender.clone(),
            origin_server_ts: row.origin_ts,
            order: content.get("order").and_then(Value::as_str).filter(fits).map(str::to_owned),
            suggested: content.get("suggested").and_then(Value::as_bool).unwrap_or(false),
            content: RawValue::from_string(row.content.clone()).ok()?,
        })
    }

    /// The child's room id.
    pub fn room_id(&self) -> &str {
        &self.state_key
    }

    /// Whether the space recommends it.
    pub fn is_suggested(&self) -> bool {
        self.suggested
    }

    fn compare(&self, other: &Self) -> Ordering {
        let order = match (&self.order, &other.order) {
            (Some(mine), Some(others)) => mine.cmp(others),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        order
            .then(self.origin_server_ts.cmp(&other.origin_server_ts))
            .then_with(|| self.state_key.cmp(&other.state_key))
    }
}

fn content<T: DeserializeOwned>(row: &CardRow, kind: &str) -> Option<T> {
    serde_json::from_str(row.state.get(kind)?).ok()
}

/// A text of a state event that says something.
fn text(row: &CardRow, kind: &str, field: &str) -> Option<String> {
    let content: Value = content(row, kind)?;
    content.get(field)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The topic in plain text: of its forms the plain one, else the old field.
fn topic(row: &CardRow) -> Option<String> {
    let content: Value = content(row, "m.room.topic")?;
    let forms = content.get("m.topic").and_then(|topic| topic.get("m.text")).and_then(Value::as_array);
    let plain = |form: &&Value| match form.get("mimetype") {
        None => true,
        Some(kind) => kind.as_str() == Some("text/plain"),
    };
    let form = forms.and_then(|forms| forms.iter().find(plain)).and_then(|form| form.get("body"));
    let said = form.or_else(|| content.get("topic")).and_then(Value::as_str);
    said.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The rooms whose members a restricted room lets in.
fn allowed(row: &CardRow) -> Vec<String> {
    let Some(rules) = content::<Value>(row, "m.room.join_rules") else { return Vec::new() };
    let conditions = rules.get("allow").and_then(Value::as_array);
    let room = |condition: &Value| {
        let membership = condition.get("type").and_then(Value::as_str) == Some("m.room_membership");
        let room = condition.get("room_id").and_then(Value::as_str).filter(|_| membership)?;
        ruma::RoomId::parse(room).ok().map(|room| room.to_string())
    };
    conditions.map(|list| list.iter().filter_map(room).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
