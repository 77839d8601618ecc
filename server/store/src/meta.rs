//! What the archive knows about itself: a few texts by name.

use crate::{Source, Store};
use kontor_model::{Code, Error, Result};

/// Name of the text that says whose archive this is.
const SERVER_NAME: &str = "server_name";

impl Store {
    /// The text of that name.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn meta(&self, key: &str) -> Result<Option<String>> {
        let row = self.reader().first("SELECT value FROM meta WHERE key = $1", vec![key.into()]).await?;
        row.map(|row| row.text(0)).transpose()
    }

    /// Keeps a text under a name that has none, and returns the one that is kept: another process
    /// may have been first.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn meta_or(&self, key: &str, value: &str) -> Result<String> {
        if let Some(known) = self.meta(key).await? {
            return Ok(known);
        }
        let sql = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
        self.execute(sql, vec![key.into(), value.into()]).await?;
        Ok(self.meta(key).await?.unwrap_or_else(|| value.to_owned()))
    }

    /// Makes sure that the archive is of this server. The first start decides: every address of a
    /// person or a room in it ends in the name.
    ///
    /// # Errors
    /// `Conflict` when it is another server's; `Unavailable` when the database is gone.
    pub async fn belongs_to(&self, server_name: &str) -> Result<()> {
        let kept = self.meta_or(SERVER_NAME, server_name).await?;
        if kept == server_name {
            return Ok(());
        }
        let said = format!(
            "This database belongs to the server \"{kept}\", and the configuration says \"{server_name}\". The name \
             is part of every address in it and cannot be changed. Set server_name back to \"{kept}\", or use an \
             empty database."
        );
        Err(Error::new(Code::Conflict, said))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing;

    #[tokio::test]
    async fn the_first_name_stays() {
        for store in testing::stores().await {
            store.belongs_to("a.example").await.unwrap();
            store.belongs_to("a.example").await.unwrap();
            let refused = store.belongs_to("b.example").await.unwrap_err();
            assert!(refused.message.contains("a.example") && refused.message.contains("b.example"));
            assert_eq!(store.meta("nothing").await.unwrap(), None);
            store.close().await;
        }
    }
}
