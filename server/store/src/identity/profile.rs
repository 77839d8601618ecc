//! Profiles: one row for each field of a user.

use crate::db::Source;
use crate::table::Table;
use crate::{Change, Stream};
use kontor_model::{Nid, Result};

/// One field of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// `displayname`, `avatar_url`, `m.tz`, or a custom name.
    pub key: String,
    /// Its value, JSON.
    pub value: String,
}

/// All fields of a user.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_user<S: Source>(source: &mut S, user: Nid) -> Result<Vec<Field>> {
    let sql = "SELECT key, value FROM profile WHERE user_nid = $1";
    let rows = source.all(sql, vec![user.into()]).await?;
    rows.iter().map(|row| Ok(Field { key: row.text(0)?, value: row.text(1)? })).collect()
}

impl Change {
    /// Sets a field of a profile; `value` is JSON.
    pub fn set_profile_field(&mut self, user: Nid, key: &str, value: &str) {
        let pos = self.position(Stream::Profile, None, Some(user));
        self.insert(Table::Profile, vec![user.into(), key.into(), value.into(), pos]);
    }

    /// Takes a field out of a profile, if it is there.
    pub fn remove_profile_field(&mut self, user: Nid, key: &str) {
        self.position(Stream::Profile, None, Some(user));
        self.run("DELETE FROM profile WHERE user_nid = $1 AND key = $2", vec![user.into(), key.into()]);
    }
}
