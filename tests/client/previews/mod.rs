//! Claims about previews of links, on servers whose operator wants them.

mod pages;
mod safety;

use harness::{Client, Db, Response, Server, enc};

/// A server that makes previews.
fn server(db: Db) -> Server {
    Server::start_with(db, &[("media.url_previews", true.into())])
}

/// The preview of an address.
async fn preview(client: &Client, url: &str) -> Response {
    client.get(&format!("/_matrix/client/v1/media/preview_url?url={}", enc(url))).await
}
