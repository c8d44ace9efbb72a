-- Version 3: what changed in the groups of streams, so that a watcher that was away can be told what it missed.

-- `stream_stamps`: no message to watchers has a later timestamp, in milliseconds. `changes_forgotten`: no group that is not in
-- `stream_groups` has a later change.
INSERT INTO meta VALUES ('changes', 1), ('changes_forgotten', 0), ('stream_stamps', 0);

-- A group of which changes are kept. `last` is its latest; those up to `dropped` are not kept any more. `bytes`: about what the kept ones take.
CREATE TABLE stream_groups (
    stream  TEXT NOT NULL,
    grp     TEXT NOT NULL,
    last    INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,
    PRIMARY KEY (stream, grp)
) STRICT, WITHOUT ROWID;

-- `change`: a number that grows with every change of any stream. `kind`: 0 created, 1 updated, 2 deleted. `item`: what is there now, or was.
CREATE TABLE stream_changes (
    stream TEXT NOT NULL,
    grp    TEXT NOT NULL,
    change INTEGER NOT NULL,
    id     TEXT NOT NULL,
    kind   INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    item   TEXT NOT NULL,
    PRIMARY KEY (stream, grp, change)
) STRICT, WITHOUT ROWID;
CREATE INDEX stream_changes_at ON stream_changes (at);

-- The processes that had the store, the newest last. `began`: the latest change that was there when it began. Whoever heard of a later one
-- from the process before heard of something that a power cut, or a backup, has taken back.
CREATE TABLE stream_epochs (
    ordinal INTEGER PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    began   INTEGER NOT NULL
) STRICT;
