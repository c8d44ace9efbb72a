//! The embedded backends on SQLite, with group commit.
