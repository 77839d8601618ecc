//! Handing files out, to people who are logged in and, from the older addresses, to everybody.

use super::answer::{Served, answer};
use super::disposition::disposition;
use super::session::{Watched, logged_out};
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Caller, Origin, Path, Query, State};
use axum::http::HeaderMap;
use kontor_media::thumbnail::{Thumbnail, Wanted};
use kontor_media::{Content, Found, MAX_WAIT, PIECE, file_name};
use kontor_model::guard::Unguarded;
use kontor_model::{Code, Guard, Requester, Result};
use kontor_store::audit::Actor;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// What is waited for a promised file unless the client says otherwise.
const USUAL_WAIT: u64 = 20_000;

/// `allow_remote` and `allow_redirect` are taken and change nothing: files of other servers are not
/// fetched, and nobody is sent elsewhere.
#[derive(Deserialize)]
pub(super) struct Params {
    timeout_ms: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct ThumbnailParams {
    timeout_ms: Option<u64>,
    width: i64,
    height: i64,
    method: Option<String>,
    #[serde(default)]
    animated: bool,
}

type File = Path<(String, String)>;
type NamedFile = Path<(String, String, String)>;

/// `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}`
pub(super) async fn download(
    state: State,
    caller: Caller,
    Path((server, media_id)): File,
    Query(params): Query<Params>,
    headers: HeaderMap,
) -> Answer {
    let visit = Visit::of(&state.0, &caller);
    visit.file(&server, &media_id, params, None, &headers).await
}

/// `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}/{fileName}`
pub(super) async fn download_named(
    state: State,
    caller: Caller,
    Path((server, media_id, name)): NamedFile,
    Query(params): Query<Params>,
    headers: HeaderMap,
) -> Answer {
    let visit = Visit::of(&state.0, &caller);
    visit.file(&server, &media_id, params, Some(&name), &headers).await
}

/// `GET /_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}`
pub(super) async fn thumbnail(
    state: State,
    caller: Caller,
    Path((server, media_id)): File,
    Query(params): Query<ThumbnailParams>,
    headers: HeaderMap,
) -> Answer {
    Visit::of(&state.0, &caller).thumbnail(&server, &media_id, params, &headers).await
}

/// `GET /_matrix/media/v3/download/{serverName}/{mediaId}` (deprecated)
pub(super) async fn legacy_download(
    state: State,
    origin: Origin,
    Path((server, media_id)): File,
    Query(params): Query<Params>,
    headers: HeaderMap,
) -> Answer {
    let visit = Visit::of_stranger(&state.0, &origin)?;
    visit.file(&server, &media_id, params, None, &headers).await
}

/// `GET /_matrix/media/v3/download/{serverName}/{mediaId}/{fileName}` (deprecated)
pub(super) async fn legacy_download_named(
    state: State,
    origin: Origin,
    Path((server, media_id, name)): NamedFile,
    Query(params): Query<Params>,
    headers: HeaderMap,
) -> Answer {
    let visit = Visit::of_stranger(&state.0, &origin)?;
    visit.file(&server, &media_id, params, Some(&name), &headers).await
}

/// `GET /_matrix/media/v3/thumbnail/{serverName}/{mediaId}` (deprecated)
pub(super) async fn legacy_thumbnail(
    state: State,
    origin: Origin,
    Path((server, media_id)): File,
    Query(params): Query<ThumbnailParams>,
    headers: HeaderMap,
) -> Answer {
    let visit = Visit::of_stranger(&state.0, &origin)?;
    visit.thumbnail(&server, &media_id, params, &headers).await
}

/// Somebody who asks for a file.
struct Visit<'a> {
    app: &'a App,
    /// Nobody when no login is asked for.
    requester: Option<&'a Requester>,
    actor: Actor,
}

/// A file that was found, and the watch over the session if it was needed for that.
struct Reached {
    found: Found,
    watched: Option<Watched>,
}

impl<'a> Visit<'a> {
    fn of(app: &'a App, caller: &'a Caller) -> Self {
        Self { app, requester: Some(&caller.requester), actor: caller.actor() }
    }

    fn of_stranger(app: &'a App, origin: &Origin) -> Result<Self> {
        app.limits.spend_anonymous(app, origin)?;
        Ok(Self { app, requester: None, actor: origin.actor() })
    }

    async fn file(
        self,
        server: &str,
        media_id: &str,
        params: Params,
        name: Option<&str>,
        headers: &HeaderMap,
    ) -> Answer {
        let Reached { found, watched } = self.reach(server, media_id, params.timeout_ms).await?;
        let content = self.app.media.open(&found).await?;
        self.note(&found).await?;
        let renamed = name.and_then(file_name);
        let name = renamed.as_deref().or_else(|| found.file_name());
        let served = Served {
            content_type: found.content_type(),
            disposition: disposition(found.is_inline(), name),
            tag: found.sha256(),
            guard: self.guard(&content, watched).await?,
            content,
        };
        Ok(answer(served, headers)?)
    }

    async fn thumbnail(
        self,
        server: &str,
        media_id: &str,
        params: ThumbnailParams,
        headers: &HeaderMap,
    ) -> Answer {
        let wanted = Wanted::new(params.width, params.height, params.method.as_deref(), params.animated)?;
        let Reached { found, watched } = self.reach(server, media_id, params.timeout_ms).await?;
        let Thumbnail { content, content_type, ending, tag, variant } =
            self.app.media.thumbnail(&found, wanted).await?;
        // Avatars are everywhere and show nothing that is confidential.
        if variant.is_readable() {
            self.note(&found).await?;
        }
        let served = Served {
            content_type,
            disposition: disposition(true, Some(&format!("thumbnail{ending}"))),
            tag: &tag,
            guard: self.guard(&content, watched).await?,
            content,
        };
        Ok(answer(served, headers)?)
    }

    /// Finds the file, waiting for a promised one while the session lasts.
    async fn reach(&self, server: &str, media_id: &str, timeout_ms: Option<u64>) -> Result<Reached> {
        let media = &self.app.media;
        let wait = Duration::from_millis(timeout_ms.unwrap_or(USUAL_WAIT)).min(MAX_WAIT);
        let Some(requester) = self.requester else {
            let found = media.find_unauthenticated(server, media_id, wait).await?;
            return Ok(Reached { found, watched: None });
        };
        match media.find(server, media_id, Duration::ZERO).await {
            Ok(found) => Ok(Reached { found, watched: None }),
            Err(error) if error.code == Code::NotYetUploaded && !wait.is_zero() => {
                let watched = Watched::begin(self.app, requester).await?;
                let found = tokio::select! {
                    found = media.find(server, media_id, wait) => found?,
                    () = watched.over() => return Err(logged_out(self.app, requester).await),
                };
                Ok(Reached { found, watched: Some(watched) })
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the audit row of a download; nobody waits for it.
    async fn note(&self, found: &Found) -> Result<()> {
        if let Some(change) = self.app.media.audit_download(found, self.actor.clone()).await? {
            drop(self.app.store.enqueue(change).await);
        }
        Ok(())
    }

    /// What is asked between the pieces of the answer. A file of one piece is out at once.
    async fn guard(&self, content: &Content, watched: Option<Watched>) -> Result<Arc<dyn Guard>> {
        match (watched, self.requester) {
            (Some(watched), _) => Ok(Arc::new(watched)),
            (None, Some(requester)) if content.size > PIECE => {
                Ok(Arc::new(Watched::begin(self.app, requester).await?))
            }
            _ => Ok(Arc::new(Unguarded)),
        }
    }
}
