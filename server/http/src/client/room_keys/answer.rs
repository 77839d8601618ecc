//! The keys of a backup on their way out. The specification has no pages for them, and a backup may
//! hold a person's keys of many years: they are read and sent in pieces.

use crate::error::Answer;
use axum::body::Body;
use axum::http::header;
use axum::response::IntoResponse;
use bytes::Bytes;
use futures_util::stream;
use kontor_identity::Identity;
use kontor_identity::backup::{KeyData, KeyRow, Place};
use kontor_model::{Error, Result};
use serde::Serialize;
use std::io;
use std::sync::Arc;

/// An answer that is being written.
struct Writing {
    identity: Arc<Identity>,
    place: Place,
    /// Whether keys stand below their rooms.
    rooms: bool,
    /// The room whose sessions are being written.
    open: Option<String>,
    begun: bool,
}

/// The keys of all rooms.
pub(super) async fn all(identity: Arc<Identity>, place: Place) -> Answer {
    answer(Writing { identity, place, rooms: true, open: None, begun: false }).await
}

/// The keys of one room.
pub(super) async fn of_room(identity: Arc<Identity>, place: Place) -> Answer {
    answer(Writing { identity, place, rooms: false, open: None, begun: false }).await
}

async fn answer(mut writing: Writing) -> Answer {
    // Read before the status is sent, so that a database that is gone is told as such.
    let (first, more) = writing.next().await?;
    let rest = stream::try_unfold(more.then_some(writing), |writing| async {
        let Some(mut writing) = writing else { return Ok(None) };
        // The connection breaks off, so that the client knows that the answer is not whole.
        let (piece, more) = writing.next().await.map_err(io::Error::other)?;
        Ok::<_, io::Error>(Some((piece, more.then_some(writing))))
    });
    let fields = [(header::CONTENT_TYPE, "application/json")];
    if more {
        let whole = futures_util::StreamExt::chain(stream::iter([Ok(first)]), rest);
        return Ok((fields, Body::from_stream(whole)).into_response());
    }
    Ok((fields, first).into_response())
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}

impl Writing {
    /// The next piece of the answer, and whether there is another one.
    async fn next(&mut self) -> Result<(Bytes, bool)> {
        let (rows, more) = self.identity.next_backup_keys(&mut self.place).await?;
        let mut piece = String::new();
        if !self.begun {
            piece.push_str(if self.rooms { "{\"rooms\":{" } else { "{\"sessions\":{" });
            self.begun = true;
        }
        for row in rows {
            self.key(&mut piece, row)?;
        }
        if !more {
            piece.push_str(if self.rooms && self.open.is_some() { "}}}}" } else { "}}" });
        }
        Ok((piece.into(), more))
    }

    fn key(&mut self, piece: &mut String, row: KeyRow) -> Result<()> {
        let room = &row.standing.room_id;
        if self.open.as_ref() == Some(room) {
            piece.push(',');
        } else {
            if self.rooms {
                piece.push_str(if self.open.is_some() { "}}," } else { "" });
                piece.push_str(&json(room)?);
                piece.push_str(":{\"sessions\":{");
            }
            self.open = Some(room.clone());
        }
        piece.push_str(&json(&row.standing.session_id)?);
        piece.push(':');
        piece.push_str(&json(&KeyData::try_from(row)?)?);
        Ok(())
    }
}
