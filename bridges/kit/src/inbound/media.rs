//! Files of the network come home: fetched, uploaded, and put in the place of their placeholders.

use super::content::{file_type, replacing};
use crate::channel::{Download, FileKind};
use crate::db::lane;
use crate::db::media::{self, Wanted};
use crate::engine::Engine;
use crate::matrix::{As, HomeError};
use crate::steps::Step;
use crate::{ids, json, text};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _};
use kontor_model::{Code, Error, Ms, Result};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long a file is asked for, milliseconds: two days.
const LONGEST: Ms = 2 * 86_400_000;

/// A stream that fails once it is longer than `most` bytes.
pub(crate) fn capped(
    bytes: BoxStream<'static, Result<Bytes>>,
    most: u64,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let mut read = 0_u64;
    bytes.map(move |chunk| {
        let chunk = chunk?;
        read += chunk.len() as u64;
        if read > most {
            return Err(Error::new(Code::TooLarge, "The file is larger than the limit."));
        }
        Ok(chunk)
    })
}

/// Fetches files until `closing`.
pub(crate) async fn work(engine: Arc<Engine>, mut closing: watch::Receiver<bool>) {
    while !*closing.borrow() {
        let due = if engine.home_gate.closed(engine.now()).is_none() {
            media::due(engine.db(), engine.seal(), engine.name(), engine.now()).await
        } else {
            Ok(Vec::new())
        };
        let mut tasks = JoinSet::new();
        for wanted in due.unwrap_or_default() {
            let engine = Arc::clone(&engine);
            tasks.spawn(async move { one(&engine, &wanted).await });
        }
        let worked = !tasks.is_empty();
        while tasks.join_next().await.is_some() {}
        if worked {
            continue;
        }
        tokio::select! {
            () = engine.media_news.notified() => {}
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            _ = closing.changed() => {}
        }
    }
}

enum Stop {
    /// It is gone or too large: for good.
    Gone,
    /// Not now.
    Later(Option<Ms>),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error.code {
            Code::NotFound | Code::TooLarge | Code::Forbidden => Self::Gone,
            _ => Self::Later(None),
        }
    }
}

async fn one(engine: &Engine, wanted: &Wanted) {
    let outcome = match bring(engine, wanted).await {
        Err(Stop::Later(None)) if engine.now() - wanted.at > LONGEST => Err(Stop::Gone),
        other => other,
    };
    let written = match outcome {
        Ok(()) => media::over(engine.db(), wanted.id, true).await,
        Err(Stop::Later(at)) => {
            let at = at.unwrap_or_else(|| engine.now() + engine.pause(wanted.tries));
            media::later(engine.db(), wanted.id, at).await
        }
        Err(Stop::Gone) => match lost(engine, wanted).await {
            Ok(()) => media::over(engine.db(), wanted.id, false).await,
            Err(at) => media::later(engine.db(), wanted.id, at).await,
        },
    };
    if let Err(error) = written {
        tracing::error!(channel = engine.name(), ?error, "The bridge's database does not answer.");
    }
}

async fn bring(engine: &Engine, wanted: &Wanted) -> Result<(), Stop> {
    let file = &wanted.file;
    let (mxc, media_type) = match &wanted.mxc {
        Some(mxc) => (mxc.clone(), file.media_type.clone()),
        None => upload(engine, wanted).await?,
    };
    engine.reached(Step::Uploaded).await;
    media::uploaded(engine.db(), wanted.id, &mxc).await?;
    let caption = file.caption.as_deref();
    let mut info = json!({ "mimetype": media_type });
    if let Some(size) = file.size {
        json::set(&mut info, "size", size);
    }
    let mut content = json!({
        "msgtype": file_type(file.kind),
        "body": caption.unwrap_or(&file.name),
        "filename": file.name,
        "url": mxc,
        "info": info,
    });
    if file.kind == FileKind::Voice {
        // MSC3245: shown as something that was said, not as music.
        json::set(&mut content, "org.matrix.msc3245.voice", json!({}));
    }
    replace(engine, wanted, "file", content).await.map_err(Stop::Later)
}

async fn upload(engine: &Engine, wanted: &Wanted) -> Result<(String, String), Stop> {
    let file = &wanted.file;
    let most = engine.caps.largest_file;
    let download = match engine.context.inner.files.open(&file.locator).await? {
        Some(download) => download,
        None => engine.channel.fetch(&engine.context, &file.locator).await?,
    };
    let Download { media_type, size, bytes } = download;
    if size.is_some_and(|size| size > most) {
        return Err(Stop::Gone);
    }
    let known = Some(file.media_type.clone()).filter(|known| !known.is_empty());
    let media_type = known.or(media_type).unwrap_or_else(|| "application/octet-stream".to_owned());
    // That it was too long is otherwise lost in the upload's own failure.
    let (too_long, noticed) =
        (Arc::new(std::sync::atomic::AtomicBool::new(false)), std::sync::atomic::Ordering::Relaxed);
    let flag = Arc::clone(&too_long);
    let bytes = capped(bytes, most).inspect(move |chunk| {
        if matches!(chunk, Err(error) if error.code == Code::TooLarge) {
            flag.store(true, noticed);
        }
    });
    match engine.home().upload(&file.name, &media_type, As::default(), bytes).await {
        Ok(mxc) => Ok((mxc, media_type)),
        Err(_) if too_long.load(noticed) => Err(Stop::Gone),
        Err(HomeError::Refused { errcode, text }) => {
            tracing::warn!(
                channel = engine.name(),
                errcode,
                text,
                "The homeserver refuses a customer's file."
            );
            Err(Stop::Gone)
        }
        Err(error) => {
            tracing::info!(channel = engine.name(), %error, "A customer's file could not be brought home yet.");
            Err(Stop::Later(None))
        }
    }
}

/// Puts `content` in the place of the placeholder. Fails with when to try again.
async fn replace(engine: &Engine, wanted: &Wanted, what: &str, content: Value) -> Result<(), Option<Ms>> {
    let lane = lane::get(engine.db(), engine.name(), &wanted.lane).await.map_err(|_| None)?;
    let ghost = lane.and_then(|lane| lane.home).map(|home| home.ghost);
    let txn = ids::note(engine.name(), &["media", &wanted.event_id, what]);
    let mut content = replacing(content, &wanted.event_id);
    json::set(
        &mut content,
        "dev.kontor.remote",
        json!({ "channel": engine.name(), "media": wanted.event_id }),
    );
    let by = As { user: ghost.as_deref(), ts: None };
    match engine.home().send(&wanted.room, "m.room.message", &txn, by, &content).await {
        Ok(_) => {}
        Err(HomeError::Refused { errcode, text }) => {
            tracing::error!(channel = engine.name(), errcode, text, "A file cannot be shown in its room.");
        }
        Err(error) => return Err(Some(engine.home_failed(&error))),
    }
    engine.reached(Step::Replaced).await;
    Ok(())
}

/// Says that a file will not come. Fails with when to try again.
async fn lost(engine: &Engine, wanted: &Wanted) -> Result<(), Ms> {
    let lane = lane::get(engine.db(), engine.name(), &wanted.lane).await.ok().flatten();
    let language = lane.map_or(engine.config.language, |lane| lane.whom.language);
    let body = text::lost(language, &wanted.file.name);
    let mut content = json!({ "msgtype": "m.text", "body": body });
    json::set(&mut content, "dev.kontor.file", json!({ "state": "lost", "name": wanted.file.name }));
    replace(engine, wanted, "lost", content).await.map_err(|at| at.unwrap_or_else(|| engine.now() + 5000))
}
