//! Cross-signing: keys that users sign with, and signatures that came after the keys.

use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, id_set};
use crate::{Change, Stream, Value};
use kontor_model::{Nid, Pos, Result};

/// A user's master, self-signing or user-signing key.
#[derive(Clone, Debug)]
pub struct CrossSigningRow {
    /// Whose.
    pub user: Nid,
    /// `master`, `self_signing`, `user_signing`.
    pub usage: String,
    /// Unpadded base64.
    pub public_key: String,
    /// Canonical JSON, with the signatures that belong to the upload.
    pub content: String,
}

/// The keys of some users.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_users<S: Source>(source: &mut S, users: &[Nid]) -> Result<Vec<CrossSigningRow>> {
    let sql = "SELECT k.user_nid, k.usage, k.public_key, k.content FROM ID_SET($1) w \
               JOIN cross_signing_key k ON k.user_nid = w.id";
    let read = |row: &Row| {
        Ok(CrossSigningRow {
            user: row.int(0)?,
            usage: row.text(1)?,
            public_key: row.text(2)?,
            content: row.text(3)?,
        })
    };
    source.all(sql, vec![id_set(users.iter().copied())]).await?.iter().map(read).collect()
}

/// A signature that came after the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SignatureRow {
    /// Whose key is signed.
    pub user: Nid,
    /// Which: a device id or a public master key.
    pub key_name: String,
    /// Who signed.
    pub signer: Nid,
    /// With which key, such as `ed25519:DEVICE`.
    pub signer_key: String,
    /// Unpadded base64.
    pub signature: String,
}

/// The signatures of some users' keys that `reader` may see: by the users themselves and by the
/// reader.
///
/// # Errors
/// See [`Source::all`].
pub async fn signatures<S: Source>(source: &mut S, users: &[Nid], reader: Nid) -> Result<Vec<SignatureRow>> {
    let sql = "SELECT s.user_nid, s.key_name, s.signer_nid, s.signer_key, s.signature FROM ID_SET($1) w \
               JOIN key_signature s ON s.user_nid = w.id AND s.signer_nid = w.id \
               UNION ALL SELECT s.user_nid, s.key_name, s.signer_nid, s.signer_key, s.signature \
               FROM ID_SET($1) w JOIN key_signature s ON s.user_nid = w.id AND s.signer_nid = $2 \
               WHERE w.id <> $2";
    let read = |row: &Row| {
        Ok(SignatureRow {
            user: row.int(0)?,
            key_name: row.text(1)?,
            signer: row.int(2)?,
            signer_key: row.text(3)?,
            signature: row.text(4)?,
        })
    };
    source.all(sql, vec![id_set(users.iter().copied()), reader.into()]).await?.iter().map(read).collect()
}

/// Users whose keys a user signed in `(since, until]`.
///
/// # Errors
/// See [`Source::all`].
pub async fn signed_since<S: Source>(
    source: &mut S,
    signer: Nid,
    since: Pos,
    until: Pos,
) -> Result<Vec<String>> {
    let sql = "SELECT DISTINCT n.text FROM key_signature s JOIN name n ON n.nid = s.user_nid \
               WHERE s.signer_nid = $1 AND s.pos > $2 AND s.pos <= $3 AND s.user_nid <> $1";
    let values = vec![signer.into(), since.0.into(), until.0.into()];
    source.all(sql, values).await?.iter().map(|row| row.text(0)).collect()
}

impl Change {
    /// Refuses the change with `Conflict` when the user has a master key.
    pub fn expect_no_master_key(&mut self, user: Nid, public_key: &str) {
        // The row is a place holder that the change's own row replaces.
        let sql = "INSERT INTO cross_signing_key (user_nid, usage, public_key, content) \
                   VALUES ($1, 'master', $2, '{}') ON CONFLICT DO NOTHING";
        self.guard(sql, vec![user.into(), public_key.into()]);
    }

    /// Refuses the change with `Conflict` unless a key of the user is still the one that was read.
    pub fn expect_cross_signing_key(&mut self, user: Nid, usage: &str, public_key: &str) {
        let sql = "UPDATE cross_signing_key SET usage = usage \
                   WHERE user_nid = $1 AND usage = $2 AND public_key = $3";
        self.guard(sql, vec![user.into(), usage.into(), public_key.into()]);
    }

    /// Sets a key of a user. What another key of the same usage signed is forgotten, and what signed
    /// it.
    pub fn set_cross_signing_key(&mut self, row: &CrossSigningRow) {
        let (user, public) = (row.user, row.public_key.as_str());
        let usage = row.usage.as_str();
        let values = || -> Vec<Value> { vec![user.into(), usage.into(), public.into()] };
        let old = "DELETE FROM key_signature WHERE signer_nid = $1 AND signer_key IN (SELECT 'ed25519:' || \
                   public_key FROM cross_signing_key WHERE user_nid = $1 AND usage = $2 AND public_key <> $3)";
        self.run(old, values());
        let old = "DELETE FROM key_signature WHERE user_nid = $1 AND key_name IN (SELECT public_key \
                   FROM cross_signing_key WHERE user_nid = $1 AND usage = $2 AND public_key <> $3)";
        self.run(old, values());
        let content = row.content.as_str().into();
        self.insert(Table::CrossSigningKey, vec![user.into(), usage.into(), public.into(), content]);
    }

    /// Removes a user's cross-signing keys and everything that they signed: the account is closed.
    pub fn remove_cross_signing(&mut self, user: Nid) {
        self.run("DELETE FROM cross_signing_key WHERE user_nid = $1", vec![user.into()]);
        self.run("DELETE FROM key_signature WHERE user_nid = $1 OR signer_nid = $1", vec![user.into()]);
    }

    /// Refuses the change with `Conflict` when a key that is signed is gone.
    pub fn expect_signed_key(&mut self, row: &SignatureRow) {
        // The rows are touched only so that there is something to count.
        let sql = "UPDATE account SET auth_epoch = auth_epoch WHERE user_nid = $1 AND (EXISTS (SELECT 1 \
                   FROM cross_signing_key k WHERE k.user_nid = $1 AND k.public_key = $2) OR EXISTS \
                   (SELECT 1 FROM device_keys k WHERE k.user_nid = $1 AND k.device_id = $2))";
        self.guard(sql, vec![row.user.into(), row.key_name.as_str().into()]);
    }

    /// Notes that a user signed keys of others, which the own devices hear of. Gives the position.
    pub fn signatures_changed(&mut self, signer: Nid) -> Value {
        self.position(Stream::KeySignatures, None, Some(signer))
    }

    /// Adds a signature; `pos` is a position that the change takes for the signer's device list.
    pub fn add_key_signature(&mut self, row: &SignatureRow, pos: Value) {
        self.insert(
            Table::KeySignature,
            vec![
                row.user.into(),
                row.signer.into(),
                row.key_name.as_str().into(),
                row.signer_key.as_str().into(),
                row.signature.as_str().into(),
                pos,
            ],
        );
    }
}
