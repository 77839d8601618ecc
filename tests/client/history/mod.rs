//! Who may read what of a room's past: history visibility, and what departed people keep. Every
//! endpoint that shows events is asked, and an oracle says what it should have shown.

mod doors;
mod leaks;
mod leaving;
mod oracle;
mod random;
mod settings;
