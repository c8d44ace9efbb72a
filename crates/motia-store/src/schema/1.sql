-- The layout of .motia/motia.db, version 1. Times are milliseconds since 1970. JSON is kept as text, so that the
-- sqlite3 shell shows it and its json functions work on it.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE state (
    grp   TEXT NOT NULL,
    key   TEXT NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (grp, key)
) STRICT;

CREATE TABLE stream_items (
    stream  TEXT NOT NULL,
    grp     TEXT NOT NULL,
    id      TEXT NOT NULL,
    item    TEXT NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (stream, grp, id)
) STRICT;

-- Who gets which events. Kept while a step's file is there, even when it cannot run.
CREATE TABLE subscriptions (
    step   TEXT NOT NULL,
    topic  TEXT NOT NULL,
    source TEXT NOT NULL,
    queue  TEXT NOT NULL,
    PRIMARY KEY (step, topic)
) STRICT, WITHOUT ROWID;

-- One event for one step, until it is handled. `id` grows with the emits; `due` orders a fifo group and never changes,
-- `not_before` says when it may run. `sequence` is what a fifo queue keeps in order: the group with '=' before it, or '' for
-- events without one; NULL in a standard queue. The data of an event with several large deliveries is shared in `payloads`.
CREATE TABLE deliveries (
    id         INTEGER PRIMARY KEY,
    step       TEXT NOT NULL,
    topic      TEXT NOT NULL,
    grp        TEXT,
    sequence   TEXT,
    state      INTEGER NOT NULL DEFAULT 0, -- 0 waiting, 1 dead letter
    due        INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    failures   INTEGER NOT NULL DEFAULT 0,
    trace      TEXT NOT NULL,
    parent     TEXT,
    emitted    INTEGER NOT NULL,
    data       TEXT,
    payload    INTEGER
) STRICT;
CREATE INDEX deliveries_next ON deliveries (step, state, not_before, id);
CREATE INDEX deliveries_in_sequence ON deliveries (step, sequence, due, id) WHERE state = 0 AND sequence IS NOT NULL;

CREATE TABLE payloads (
    id   INTEGER PRIMARY KEY,
    data TEXT NOT NULL,
    uses INTEGER NOT NULL
) STRICT;

-- Every failed attempt of a delivery that is still there.
CREATE TABLE failures (
    delivery INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    error    TEXT NOT NULL,
    PRIMARY KEY (delivery, attempt)
) STRICT, WITHOUT ROWID;

-- Instants of schedules that were begun or skipped.
CREATE TABLE ticks (
    step    TEXT NOT NULL,
    due     INTEGER NOT NULL,
    outcome TEXT NOT NULL, -- running, succeeded, failed, skipped, interrupted
    reason  TEXT,
    began   INTEGER,
    ended   INTEGER,
    PRIMARY KEY (step, due)
) STRICT, WITHOUT ROWID;
