//! The configuration: its keys, how they are read from the file and the environment, what is
//! wrong with them, and the documents generated from them. Nothing here opens a database or a
//! socket, and what administrators change while the server runs is in the database, not here.

mod appservices;
mod bridge;
mod check;
mod documents;
mod keys;
mod load;
mod problem;
mod schema;
mod telegram;
mod tree;
mod values;

pub use appservices::read as read_appservices;
pub use bridge::{BridgeFile, load as load_bridge};
pub use bridge::{example as bridge_example, reference as bridge_reference};
pub use check::explain;
pub use documents::{example, reference};
pub use keys::{
    Config, DirectoryShows, Listener, LogFormat, Merging, PublishRooms, Serve, SmtpTls, SupportContact,
};
pub use load::load;
