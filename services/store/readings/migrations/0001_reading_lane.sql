-- Readings, and what belongs to taking them in. Times: whole microseconds since 1970, UTC.
-- One process writes here (the reading process); others only read.

-- What one position says under one name. The id is ours, small, and never given again: not even when the
-- series is erased, or what was left of it somewhere would be said of another home.
CREATE TABLE series (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    home_id TEXT NOT NULL,
    position_id TEXT NOT NULL,
    name TEXT NOT NULL,
    unit TEXT NOT NULL,
    data_class TEXT NOT NULL,
    expired_to BIGINT NOT NULL DEFAULT 0,
    UNIQUE (position_id, name)
);
CREATE INDEX series_of_home ON series (home_id, id);

-- One row a commit, in columns: series (uint32), then at, received_at (int64) and value (float64) of each
-- value; and of each packet of the broker its id (uint16) and the CRC-32 of what it said.
CREATE TABLE journal (
    number INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    series BLOB NOT NULL,
    points BLOB NOT NULL,
    packet_ids BLOB NOT NULL,
    packet_sums BLOB NOT NULL
);

-- A sorted run of pages. Tier 0: one flush of the journal; 1: several of those; 2: one day (UTC).
CREATE TABLE segments (
    id INTEGER PRIMARY KEY,
    tier INTEGER NOT NULL,
    day INTEGER NOT NULL,
    is_ready INTEGER NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    first_received_at BIGINT NOT NULL,
    last_received_at BIGINT NOT NULL,
    count BIGINT NOT NULL
);
CREATE INDEX segments_of_tier ON segments (tier, day);

CREATE TABLE pages (
    id INTEGER PRIMARY KEY,
    segment INTEGER NOT NULL,
    first_series INTEGER NOT NULL,
    last_series INTEGER NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    first_received_at BIGINT NOT NULL,
    last_received_at BIGINT NOT NULL,
    count INTEGER NOT NULL,
    content BLOB NOT NULL
);
CREATE INDEX pages_of_segment ON pages (
    segment, first_series, id, last_series, first_at, last_at, first_received_at, last_received_at, count
);

CREATE TABLE last_values (
    series INTEGER PRIMARY KEY REFERENCES series (id),
    at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    value REAL NOT NULL
) WITHOUT ROWID;

-- What the reading process must know again after a restart.
CREATE TABLE rule_states (
    position_id TEXT NOT NULL,
    rule TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (position_id, rule)
) WITHOUT ROWID;

CREATE TABLE device_clocks (
    device_id TEXT PRIMARY KEY,
    clock TEXT NOT NULL
) WITHOUT ROWID;

-- What the alarm process has to be told. It takes them in order and remembers how far it came.
CREATE TABLE handovers (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at BIGINT NOT NULL,
    body TEXT NOT NULL
);

CREATE TABLE unknown_devices (
    integration_id TEXT NOT NULL,
    external_id TEXT NOT NULL,
    model TEXT NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    messages BIGINT NOT NULL,
    example TEXT NOT NULL,
    PRIMARY KEY (integration_id, external_id)
) WITHOUT ROWID;

-- What was released to whom: one row a day, written before the first release of that day.
CREATE TABLE releases (
    organisation_id TEXT NOT NULL,
    home_id TEXT NOT NULL,
    data_class TEXT NOT NULL,
    grant_id TEXT NOT NULL,
    day INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (day, organisation_id, home_id, data_class, grant_id)
) WITHOUT ROWID;

-- What an operator has asked to be erased, and how far it has come: once begun, the ids (uint32) of its
-- series, which are in no other table any more.
CREATE TABLE erasures (
    id TEXT PRIMARY KEY,
    home_id TEXT NOT NULL,
    position_id TEXT,
    asked_at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    series BLOB,
    done_at BIGINT,
    count BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE quarantine (
    id TEXT PRIMARY KEY,
    received_at BIGINT NOT NULL,
    lane TEXT NOT NULL,
    topic TEXT NOT NULL,
    client_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    home_id TEXT,
    external_id TEXT,
    reason TEXT NOT NULL,
    payload BLOB NOT NULL
);
CREATE INDEX quarantine_of_client ON quarantine (client_id, id);

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
) WITHOUT ROWID;
