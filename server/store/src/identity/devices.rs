//! Devices: what people see of their sessions.

use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, text_set};
use crate::{Change, Stream};
use kontor_model::{Ms, Nid, Result};

/// A device.
#[derive(Clone, Debug)]
pub struct DeviceRow {
    /// Its id, unique per account.
    pub device_id: String,
    /// Its name for people.
    pub display_name: Option<String>,
    /// When it was last seen, with a delay of some minutes.
    pub seen_ts: Option<Ms>,
    /// Where from.
    pub seen_ip: Option<String>,
}

fn device(row: &Row) -> Result<DeviceRow> {
    Ok(DeviceRow {
        device_id: row.text(0)?,
        display_name: row.text_opt(1)?,
        seen_ts: row.int_opt(2)?,
        seen_ip: row.text_opt(3)?,
    })
}

/// All devices of an account.
///
/// # Errors
/// `Unavailable` when the database is gone.
pub async fn of_user<S: Source>(source: &mut S, user: Nid) -> Result<Vec<DeviceRow>> {
    let sql = "SELECT d.device_id, d.display_name, s.ts, s.ip FROM device d LEFT JOIN device_seen s \
               ON s.user_nid = d.user_nid AND s.device_id = d.device_id \
               WHERE d.user_nid = $1 ORDER BY d.created_ts, d.device_id";
    source.all(sql, vec![user.into()]).await?.iter().map(device).collect()
}

/// One device of an account.
///
/// # Errors
/// As [`of_user`].
pub async fn by_id<S: Source>(source: &mut S, user: Nid, device_id: &str) -> Result<Option<DeviceRow>> {
    let sql = "SELECT d.device_id, d.display_name, s.ts, s.ip FROM device d LEFT JOIN device_seen s \
               ON s.user_nid = d.user_nid AND s.device_id = d.device_id \
               WHERE d.user_nid = $1 AND d.device_id = $2";
    source.first(sql, vec![user.into(), device_id.into()]).await?.as_ref().map(device).transpose()
}

impl Change {
    /// Makes a device without a session. One that is there refuses the change with `Conflict`.
    pub fn make_device(&mut self, user: Nid, device_id: &str, display_name: Option<&str>, ts: Ms) {
        let sql = "INSERT INTO device (user_nid, device_id, display_name, created_ts) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT DO NOTHING";
        self.guard(sql, vec![user.into(), device_id.into(), display_name.into(), ts.into()]);
        self.device_list_changed(user);
    }

    /// Renames a device; refused with `Conflict` when there is none.
    pub fn rename_device(&mut self, user: Nid, device_id: &str, display_name: Option<&str>) {
        let sql = "UPDATE device SET display_name = $3 WHERE user_nid = $1 AND device_id = $2";
        self.guard(sql, vec![user.into(), device_id.into(), display_name.into()]);
        self.device_list_changed(user);
    }

    /// Removes devices with their keys and everything that waits for them, and ends their sessions.
    pub fn remove_devices(&mut self, user: Nid, device_ids: &[String], ts: Ms, reason: &'static str) {
        let set = || text_set(device_ids);
        let sql = "UPDATE session SET ended_ts = $3, reason = $4 \
                   WHERE user_nid = $1 AND device_id IN TEXT_SET($2) AND ended_ts IS NULL";
        self.run(sql, vec![user.into(), set(), ts.into(), reason.into()]);
        let sql = "DELETE FROM device WHERE user_nid = $1 AND device_id IN TEXT_SET($2)";
        self.run(sql, vec![user.into(), set()]);
        let sql = "DELETE FROM device_seen WHERE user_nid = $1 AND device_id IN TEXT_SET($2)";
        self.run(sql, vec![user.into(), set()]);
        self.remove_pushers_of(user, device_ids);
        self.remove_device_keys(user, device_ids);
        self.position(Stream::Kill, None, Some(user));
        self.device_list_changed(user);
    }

    /// Removes all devices of an account but `except`, as [`Change::remove_devices`]; their sessions must
    /// end with the same change. Pages that the account has open end as well.
    pub fn remove_all_devices(&mut self, user: Nid, except: Option<&str>) {
        let except = except.unwrap_or_default();
        self.remove_pushers_but(user, except);
        self.remove_other_device_keys(user, except);
        let sql = "DELETE FROM device WHERE user_nid = $1 AND device_id <> $2";
        self.run(sql, vec![user.into(), except.into()]);
        let sql = "DELETE FROM device_seen WHERE user_nid = $1 AND device_id <> $2";
        self.run(sql, vec![user.into(), except.into()]);
        self.run("DELETE FROM page_session WHERE user_nid = $1", vec![user.into()]);
        self.device_list_changed(user);
    }

    /// Notes when and from where a device was seen.
    pub fn note_seen(&mut self, user: Nid, device_id: &str, ts: Ms, ip: Option<String>) {
        self.insert(Table::DeviceSeen, vec![user.into(), device_id.into(), ts.into(), ip.into()]);
    }
}
