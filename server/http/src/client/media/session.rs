//! The session behind a long answer: watched while the answer is being written.

use crate::app::App;
use kontor_model::{Code, Error, Guard, Requester, Result};
use kontor_store::Store;
use kontor_store::identity::sessions;
use kontor_store::log::Topic;
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

/// Watches a session until it is dropped.
pub(super) struct Watched {
    ended: watch::Receiver<bool>,
    task: AbortHandle,
}

impl Watched {
    /// Begins to watch.
    ///
    /// # Errors
    /// `UnknownToken` when the session has ended already; `Unavailable` when the database is gone.
    pub async fn begin(app: &App, requester: &Requester) -> Result<Self> {
        let (tell, ended) = watch::channel(false);
        let (registered, waits) = oneshot::channel();
        let (store, whose) = (app.store.clone(), requester.clone());
        let task = tokio::spawn(async move {
            let waiter = store.log().wait_for([Topic::User(whose.user)]);
            let _ = registered.send(());
            loop {
                waiter.woken().await;
                // When the database does not tell, it is over as well: nothing is sent on a guess.
                if !matches!(has_ended(&store, &whose).await, Ok(false)) {
                    let _ = tell.send(true);
                    return;
                }
            }
        });
        let watched = Self { ended, task: task.abort_handle() };
        // Only now is the first look worth anything: no end can fall between.
        waits.await.map_err(Error::internal)?;
        refuse_ended(app, requester).await?;
        Ok(watched)
    }

    /// Returns when the session ends.
    pub async fn over(&self) {
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}

impl Guard for Watched {
    fn ended(&self) -> bool {
        *self.ended.borrow()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Refuses when the session has ended since the request began.
///
/// # Errors
/// `UnknownToken`; `Unavailable` when the database is gone.
pub(super) async fn refuse_ended(app: &App, requester: &Requester) -> Result<()> {
    let row = sessions::guard(&mut app.store.reader(), requester.session, requester.user).await?;
    kontor_identity::sessions::stands(&row, requester)
}

async fn has_ended(store: &Store, requester: &Requester) -> Result<bool> {
    let row = sessions::guard(&mut store.reader(), requester.session, requester.user).await?;
    Ok(kontor_identity::sessions::stands(&row, requester).is_err())
}

/// The refusal of a request whose session ended while it waited.
pub(super) async fn logged_out(app: &App, requester: &Requester) -> Error {
    match refuse_ended(app, requester).await {
        Err(error) => error,
        Ok(()) => Error::new(Code::Unavailable, "Your account changed meanwhile. Try again."),
    }
}
