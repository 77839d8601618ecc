//! On a database.
