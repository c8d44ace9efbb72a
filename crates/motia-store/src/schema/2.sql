-- Version 2: revisions and lifetimes of state; priorities, groups that are limited, replays, pauses, events that are emitted once;
-- schedules, and instants that were missed or asked for; data of the original, whose keys cannot be told apart.

-- What is short comes before what may be long: SQLite reads a row up to the column that it needs.
ALTER TABLE state RENAME TO state_1;
CREATE TABLE state (
    grp      TEXT NOT NULL,
    key      TEXT NOT NULL,
    revision INTEGER NOT NULL,
    expires  INTEGER,
    value    TEXT NOT NULL,
    UNIQUE (grp, key)
) STRICT;
INSERT INTO state (rowid, grp, key, revision, value) SELECT rowid, grp, key, 0, value FROM state_1;
DROP TABLE state_1;
CREATE INDEX state_expires ON state (expires) WHERE expires IS NOT NULL;
INSERT INTO meta VALUES ('revisions', 1);

-- `state`: 0 waiting, 1 dead letter, 2 a dead letter that was replayed. `due` orders a fifo group; a head that failed keeps its place by
-- a `due` of 0. `sequence` is what a fifo queue keeps in order, and a queue with a group concurrency counts: the group with '='
-- before it, or '' for events without one; NULL in other queues. `replays`: the dead letter that a delivery is again.
ALTER TABLE deliveries ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN replays INTEGER;
DROP INDEX deliveries_next;
DROP INDEX deliveries_in_sequence;
CREATE INDEX deliveries_next ON deliveries (step, priority DESC, not_before, id) WHERE state = 0;
CREATE INDEX deliveries_in_sequence ON deliveries (step, sequence, priority DESC, due, id) WHERE state = 0 AND sequence IS NOT NULL;
CREATE INDEX deliveries_finished ON deliveries (step, state, id) WHERE state > 0;

-- Events that were to be emitted once, while that is remembered.
CREATE TABLE event_keys (
    topic TEXT NOT NULL,
    key   TEXT NOT NULL,
    event TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (topic, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_keys_until ON event_keys (until);

CREATE TABLE paused (
    step TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- The project's schedules. Instants up to `accounted` are begun, recorded as skipped, or from before the schedule was known.
CREATE TABLE schedules (
    step      TEXT PRIMARY KEY,
    source    TEXT NOT NULL,
    rule      TEXT NOT NULL,
    accounted INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Of several instants that were skipped in a row, `due` is the first and `through` the last. `asked`: somebody asked for it.
ALTER TABLE ticks ADD COLUMN through INTEGER;
ALTER TABLE ticks ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
ALTER TABLE ticks ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
CREATE INDEX ticks_running ON ticks (step) WHERE outcome = 'running';
CREATE INDEX ticks_ended ON ticks (ended) WHERE ended IS NOT NULL;

-- What the original left behind in files: `<group>:<key>` as it was, since either may have a ':' in it.
CREATE TABLE joined_state (
    joined TEXT PRIMARY KEY,
    value  TEXT NOT NULL
) STRICT;
CREATE TABLE joined_items (
    stream  TEXT NOT NULL,
    joined  TEXT NOT NULL,
    created INTEGER NOT NULL,
    item    TEXT NOT NULL,
    PRIMARY KEY (stream, joined)
) STRICT;
