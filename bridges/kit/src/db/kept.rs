//! Small values that channels remember under names.

use super::{Change, Db};
use crate::channel::Keep;
use crate::seal::Seal;
use kontor_model::{Ms, Result};

/// Remembers or forgets a value.
///
/// # Errors
/// `Internal` when it cannot be sealed.
pub(crate) fn put(change: &mut Change, channel: &str, seal: &Seal, keep: &Keep) -> Result<()> {
    let Some(value) = &keep.value else {
        let sql = "DELETE FROM kept WHERE channel = $1 AND name = $2";
        change.run(sql, vec![channel.into(), (&keep.name).into()]);
        return Ok(());
    };
    let value = if keep.secret { seal.close("kept", value.as_bytes())? } else { value.clone().into_bytes() };
    change.run(
        "INSERT INTO kept (channel, name, value, secret, until) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (channel, name) DO UPDATE \
         SET value = excluded.value, secret = excluded.secret, until = excluded.until",
        vec![channel.into(), (&keep.name).into(), value.into(), keep.secret.into(), keep.until.into()],
    );
    Ok(())
}

/// A value that is remembered at `now`, and whether it is sealed.
///
/// # Errors
/// `Unavailable` when the database is gone.
pub(crate) async fn get(db: &Db, channel: &str, name: &str, now: Ms) -> Result<Option<(Vec<u8>, bool)>> {
    let sql = "SELECT value, secret FROM kept \
               WHERE channel = $1 AND name = $2 AND (until IS NULL OR until > $3)";
    let row = db.first(sql, vec![channel.into(), name.into(), now.into()]).await?;
    row.map(|row| Ok((row.blob(0)?, row.bool(1)?))).transpose()
}

/// Forgets what is over, a bounded number at a time.
///
/// # Errors
/// `Unavailable` when the database is gone.
pub(crate) async fn prune(db: &Db, channel: &str, now: Ms) -> Result<()> {
    let sql = "DELETE FROM kept WHERE channel = $1 AND name IN \
               (SELECT name FROM kept WHERE channel = $1 AND until < $2 LIMIT 500)";
    db.run(sql, vec![channel.into(), now.into()]).await.map(drop)
}
