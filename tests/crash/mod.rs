//! An acknowledged message is on the disk: whatever dies, it is there exactly once afterwards,
//! and nobody has to lend a hand.

mod disk_full;
mod killed;
mod postgres_restart;
mod synced;
mod torn_wal;
