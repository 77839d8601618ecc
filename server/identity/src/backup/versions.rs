//! Versions of the key backup: made, described, deleted.

use super::{MAX_AUTH_DATA, MOST_VERSIONS, Versions, unknown_version};
use crate::Identity;
use kontor_model::{Code, Error, Requester, Result, ids};
use kontor_store::Change;
use kontor_store::identity::backup;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// How a client wants the keys of a version to be encrypted.
#[derive(Debug, Deserialize)]
pub struct Described {
    /// The algorithm, such as `m.megolm_backup.v1.curve25519-aes-sha2`.
    pub algorithm: String,
    /// What the algorithm needs, a JSON object.
    pub auth_data: serde_json::Map<String, serde_json::Value>,
    /// The version that is meant; of updates only.
    pub version: Option<String>,
}

/// A version as clients see it.
#[derive(Debug, Serialize)]
pub struct Version {
    /// The algorithm.
    pub algorithm: String,
    /// What the algorithm needs.
    pub auth_data: Box<RawValue>,
    /// How many keys there are.
    pub count: i64,
    /// Changes whenever keys do.
    pub etag: String,
    /// The version.
    pub version: String,
}

fn auth_data(described: &Described) -> Result<String> {
    let text = serde_json::to_string(&described.auth_data).map_err(Error::internal)?;
    if text.len() > MAX_AUTH_DATA {
        return Err(Error::new(Code::TooLarge, "The auth_data of a backup may hold at most 64 KiB."));
    }
    Ok(text)
}

impl Identity {
    /// Plans a new version; gives its id with the plan. `Conflict` on submission means that another
    /// device made one at the same moment: plan again.
    ///
    /// # Errors
    /// `TooLarge` with too much `auth_data` or too many versions.
    pub async fn create_backup(&self, user: &Requester, described: &Described) -> Result<(Change, String)> {
        ids::storable_key(&described.algorithm, "algorithm")?;
        let auth_data = auth_data(described)?;
        let versions = Versions::of(self, user.user).await?;
        if versions.0.len() >= MOST_VERSIONS {
            let message = "You have too many key backups. Delete the old ones first.";
            return Err(Error::new(Code::TooLarge, message));
        }
        let version = versions.newest() + 1;
        let mut change = Change::default();
        let keys = self.store.nid().await?;
        change.create_backup(user.user, version, keys, &described.algorithm, &auth_data);
        Ok((change, version.to_string()))
    }

    /// A version; the newest one that was not deleted when none is named.
    ///
    /// # Errors
    /// `NotFound` when there is none, or it was deleted.
    pub async fn backup(&self, user: &Requester, version: Option<&str>) -> Result<Version> {
        let versions = Versions::of(self, user.user).await?;
        let row = version.map_or_else(|| versions.current(), |version| versions.get(version))?;
        let described = backup::description(&mut self.store.reader(), user.user, row.version).await?;
        let (algorithm, auth_data) = described.ok_or_else(unknown_version)?;
        Ok(Version {
            algorithm,
            auth_data: RawValue::from_string(auth_data).map_err(Error::internal)?,
            count: row.keys,
            etag: row.etag.to_string(),
            version: row.version.to_string(),
        })
    }

    /// Plans new `auth_data` for a version. `Conflict` on submission means that it was deleted
    /// meanwhile.
    ///
    /// # Errors
    /// `NotFound`; `InvalidParam` when the algorithm or the version in the body is another one.
    pub async fn describe_backup(
        &self,
        user: &Requester,
        version: &str,
        described: &Described,
    ) -> Result<Change> {
        if described.version.as_deref().is_some_and(|other| other != version) {
            return Err(Error::invalid_param("Version in body does not match version in path"));
        }
        let auth_data = auth_data(described)?;
        let row = Versions::of(self, user.user).await?.get(version)?;
        let stored = backup::description(&mut self.store.reader(), user.user, row.version).await?;
        let (algorithm, _) = stored.ok_or_else(unknown_version)?;
        if algorithm != described.algorithm {
            return Err(Error::invalid_param("Algorithm does not match"));
        }
        let mut change = Change::default();
        change.describe_backup(user.user, row.version, &auth_data);
        Ok(change)
    }

    /// Plans to delete a version with its keys; nothing for one that was deleted already.
    ///
    /// # Errors
    /// `NotFound` when there never was such a version.
    pub async fn delete_backup(&self, user: &Requester, version: &str) -> Result<Change> {
        let versions = Versions::of(self, user.user).await?;
        let mut change = Change::default();
        match versions.get(version) {
            Ok(row) => {
                if let Some(keys) = row.backup {
                    change.delete_backup(user.user, row.version, keys);
                }
                Ok(change)
            }
            Err(_) if versions.was_given(version) => Ok(change),
            Err(unknown) => Err(unknown),
        }
    }
}
