//! Uploading: at once, or under an address that was promised before.

use crate::receive::{Incoming, Received, too_large};
use crate::words::{content_type, file_name};
use crate::{Media, find};
use kontor_model::random::opaque;
use kontor_model::{Code, Error, Ms, Nid, Requester, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::media::{MediaContent, media_by_id};
use std::sync::Arc;

/// Letters of a media id: 178 bits, so that nobody guesses one.
pub(crate) const ID_LENGTH: usize = 30;

/// How long a promise holds (the specification recommends 24 hours).
const PROMISE: Ms = 24 * 60 * 60 * 1_000;

/// How many promises an account may have open.
const MAX_PROMISES: i64 = 100;

/// What an account with too many open promises is told to wait.
const RETRY_AFTER_MS: u64 = 60_000;

/// What the client says about a file.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The content type.
    pub content_type: Option<String>,
    /// The name.
    pub file_name: Option<String>,
}

/// An upload that is ready to be submitted.
pub struct Uploaded {
    /// Its `mxc://` address.
    pub uri: String,
    /// To be submitted while this value is kept alive.
    pub change: Change,
    /// Spares the content until the row is committed.
    pub received: Received,
}

/// A new promise that is ready to be submitted.
pub struct Promise {
    /// The `mxc://` address at which the file will be.
    pub uri: String,
    /// When it lapses.
    pub expires: Ms,
    /// To be submitted; `Conflict` means that the account has too many open promises.
    pub change: Change,
}

/// A promise that its maker may keep now.
#[derive(Clone, Debug)]
pub struct Promised {
    nid: Nid,
    media_id: String,
}

impl Media {
    /// Begins to take in a file whose length the client announced, or not.
    ///
    /// # Errors
    /// `TooLarge` when the announced length is over the limit; `GuestAccessForbidden`.
    pub fn receive(&self, requester: &Requester, announced: Option<u64>) -> Result<Incoming> {
        no_guest(requester)?;
        let limit = self.options.upload_limit;
        if announced.is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        Ok(Incoming::new(Arc::clone(&self.folder), limit))
    }

    /// Gives a received file an address (`POST /_matrix/media/v3/upload`).
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn upload(
        &self,
        received: Received,
        about: About,
        requester: &Requester,
        actor: Actor,
    ) -> Result<Uploaded> {
        let now = self.clock.now();
        let media_id = opaque(self.random.as_ref(), ID_LENGTH);
        let uri = self.uri(&media_id);
        let mut change = Change::default();
        let open = self.options.legacy_unauthenticated;
        let content = known(&received, about);
        change.add_media(self.store.nid().await?, &media_id, requester.user, content, now, open);
        self.audit_upload(&mut change, &uri, &received, actor, now).await?;
        Ok(Uploaded { uri, change, received })
    }

    /// Promises an address for a file that comes later (`POST /_matrix/media/v1/create`).
    ///
    /// # Errors
    /// `GuestAccessForbidden`; `Unavailable` when the database is gone.
    pub async fn promise(&self, requester: &Requester) -> Result<Promise> {
        no_guest(requester)?;
        let now = self.clock.now();
        let expires = now + PROMISE;
        let media_id = opaque(self.random.as_ref(), ID_LENGTH);
        let nid = self.store.nid().await?;
        let mut change = Change::default();
        change.promise_media(nid, &media_id, requester.user, now, expires, MAX_PROMISES);
        Ok(Promise { uri: self.uri(&media_id), expires, change })
    }

    /// The error of a promise whose change was refused.
    pub fn too_many_promises(&self) -> Error {
        Error::new(
            Code::LimitExceeded { retry_after_ms: RETRY_AFTER_MS },
            format!("You have {MAX_PROMISES} uploads that were announced but not made. Finish some first."),
        )
    }

    /// Checks that the requester may upload to this promised address now
    /// (`PUT /_matrix/media/v3/upload/{serverName}/{mediaId}`).
    ///
    /// # Errors
    /// `NotFound` when it was never promised or has lapsed, `Forbidden` when somebody else promised
    /// it, `CannotOverwriteMedia` when the file is there already.
    pub async fn promised(&self, server: &str, media_id: &str, requester: &Requester) -> Result<Promised> {
        no_guest(requester)?;
        find::check_id(media_id)?;
        let ours = server == self.options.server_name.as_str();
        let row = if ours { media_by_id(&mut self.store.reader(), media_id).await? } else { None };
        let row = row.ok_or_else(find::unknown)?;
        if row.uploader != requester.user {
            return Err(Error::forbidden("Only the account that announced this upload can make it."));
        }
        if row.content.is_some() {
            return Err(Error::new(Code::CannotOverwriteMedia, "The file was uploaded already."));
        }
        if row.expires.is_some_and(|expires| expires <= self.clock.now()) {
            return Err(find::unknown());
        }
        Ok(Promised { nid: row.nid, media_id: row.media_id })
    }

    /// Keeps a promise. `Conflict` of the change means that it was kept or lapsed meanwhile: ask
    /// [`Media::promised`] again which.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn fulfil(
        &self,
        promised: &Promised,
        received: Received,
        about: About,
        actor: Actor,
    ) -> Result<Uploaded> {
        let now = self.clock.now();
        let uri = self.uri(&promised.media_id);
        let mut change = Change::default();
        let content = known(&received, about);
        change.fulfil_media(promised.nid, content, now, self.options.legacy_unauthenticated);
        self.audit_upload(&mut change, &uri, &received, actor, now).await?;
        Ok(Uploaded { uri, change, received })
    }

    async fn audit_upload(
        &self,
        change: &mut Change,
        uri: &str,
        received: &Received,
        actor: Actor,
        now: Ms,
    ) -> Result<()> {
        let mut audit = Audit::done(Action::MediaUpload, actor, now).on("media", uri);
        audit.detail = Some(format!("{{\"bytes\":{}}}", received.size));
        change.audit(self.store.nid().await?, audit);
        Ok(())
    }
}

pub(crate) fn known(received: &Received, about: About) -> MediaContent {
    MediaContent {
        content_type: content_type(about.content_type.as_deref()),
        kind: received.kind.word().to_owned(),
        file_name: about.file_name.as_deref().and_then(file_name),
        size: i64::try_from(received.size).unwrap_or(i64::MAX),
        sha256: received.sha256.clone(),
    }
}

fn no_guest(requester: &Requester) -> Result<()> {
    if requester.guest {
        return Err(Error::new(Code::GuestAccessForbidden, "Guests cannot upload files. Make an account."));
    }
    Ok(())
}
