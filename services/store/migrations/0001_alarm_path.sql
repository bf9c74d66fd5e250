-- The alarm path: who is registered, what homes said, what we told whom.
-- Times: whole microseconds since 1970, UTC. Flags: 0 or 1. Documents: JSON text. Ids that we make are
-- UUIDv7 and sort by time, so "newest first" is their order. WITHOUT ROWID keeps a row and its key in one
-- tree: every tree that an alarm touches is a page more to sync before anyone is told.

CREATE TABLE homes (
    id TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    co_id TEXT NOT NULL,
    access_id TEXT NOT NULL,
    node TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE positions (
    id TEXT PRIMARY KEY,
    home_id TEXT NOT NULL REFERENCES homes (id),
    name TEXT NOT NULL,
    UNIQUE (home_id, name)
) WITHOUT ROWID;

CREATE TABLE devices (
    id TEXT PRIMARY KEY,
    home_id TEXT NOT NULL REFERENCES homes (id),
    position_id TEXT NOT NULL REFERENCES positions (id),
    profile TEXT NOT NULL,
    state TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX devices_of_home ON devices (home_id);
CREATE INDEX devices_of_position ON devices (position_id);

CREATE TABLE device_status (
    device_id TEXT PRIMARY KEY REFERENCES devices (id),
    last_seen_at BIGINT NOT NULL,
    silent_at BIGINT NOT NULL,
    is_silent INTEGER NOT NULL,
    battery_percent REAL,
    has_mains INTEGER,
    link TEXT,
    signal_dbm REAL,
    firmware TEXT
) WITHOUT ROWID;
CREATE INDEX device_silence ON device_status (silent_at);

CREATE TABLE organisations (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    last_sequence BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE grants (
    id TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    home_id TEXT NOT NULL REFERENCES homes (id),
    position_id TEXT REFERENCES positions (id),
    data_class TEXT NOT NULL,
    purpose TEXT NOT NULL,
    legal_basis TEXT NOT NULL,
    valid_from BIGINT NOT NULL,
    valid_until BIGINT,
    step INTEGER NOT NULL,
    within_micros BIGINT NOT NULL,
    revoked_at BIGINT
) WITHOUT ROWID;
CREATE INDEX grants_of_home ON grants (home_id, data_class);
CREATE INDEX grants_of_organisation ON grants (organisation_id);

CREATE TABLE certificates (
    serial TEXT PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
) WITHOUT ROWID;
CREATE INDEX certificates_of_subject ON certificates (issuer, subject);

CREATE TABLE alarms (
    id TEXT PRIMARY KEY,
    home_id TEXT NOT NULL REFERENCES homes (id),
    position_id TEXT NOT NULL REFERENCES positions (id),
    device_id TEXT NOT NULL REFERENCES devices (id),
    kind TEXT NOT NULL,
    is_test INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    room TEXT NOT NULL,
    voice TEXT NOT NULL,
    state TEXT NOT NULL,
    raised_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    step INTEGER NOT NULL,
    acknowledged_organisation TEXT REFERENCES organisations (id),
    acknowledged_by TEXT,
    acknowledged_at BIGINT,
    escalated_at BIGINT,
    closed_at BIGINT
) WITHOUT ROWID;
-- One open alarm per position and kind; a test never hides a real one.
CREATE UNIQUE INDEX one_open_alarm ON alarms (position_id, kind, is_test) WHERE state <> 'closed';
CREATE INDEX alarms_of_home ON alarms (home_id, id);

CREATE TABLE events (
    id TEXT PRIMARY KEY,
    alarm_id TEXT REFERENCES alarms (id),
    home_id TEXT NOT NULL REFERENCES homes (id),
    device_id TEXT NOT NULL REFERENCES devices (id),
    client_id TEXT NOT NULL,
    external_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    kind TEXT NOT NULL,
    signal TEXT NOT NULL,
    is_test INTEGER NOT NULL,
    sent_at BIGINT,
    received_at BIGINT NOT NULL,
    text TEXT NOT NULL,
    data TEXT NOT NULL,
    payload BLOB NOT NULL,
    is_conflict INTEGER NOT NULL
);
-- The same id with the same body is the same event; with another body both are kept.
CREATE UNIQUE INDEX one_event ON events (device_id, external_id, fingerprint);
CREATE INDEX events_of_alarm ON events (alarm_id, id);
CREATE INDEX events_of_home ON events (home_id, id);

CREATE TABLE notices (
    id TEXT PRIMARY KEY,
    alarm_id TEXT NOT NULL REFERENCES alarms (id),
    event_id TEXT REFERENCES events (id),
    type TEXT NOT NULL,
    at BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    note TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX notices_of_alarm ON notices (alarm_id, id);

CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    notice_id TEXT NOT NULL REFERENCES notices (id),
    alarm_id TEXT NOT NULL REFERENCES alarms (id),
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    channel TEXT NOT NULL,
    grant_id TEXT REFERENCES grants (id),
    step INTEGER NOT NULL,
    state TEXT NOT NULL,
    sequence BIGINT,
    attempts INTEGER NOT NULL,
    hurry INTEGER NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    first_sent_at BIGINT,
    settled_at BIGINT,
    reason TEXT NOT NULL,
    UNIQUE (notice_id, organisation_id, channel)
) WITHOUT ROWID;
CREATE UNIQUE INDEX gap_free_sequence ON deliveries (organisation_id, sequence) WHERE sequence IS NOT NULL;
-- Two queues, so that what was never told never waits behind what is told again.
CREATE INDEX fresh_deliveries ON deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX repeated_deliveries ON deliveries (next_attempt_at) WHERE state = 'sent';
CREATE INDEX deliveries_of_alarm ON deliveries (alarm_id, organisation_id);

-- Who has been routed anything of an alarm, and so is kept told.
CREATE TABLE alarm_receivers (
    alarm_id TEXT NOT NULL REFERENCES alarms (id),
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    step INTEGER NOT NULL,
    PRIMARY KEY (alarm_id, organisation_id)
) WITHOUT ROWID;

CREATE TABLE timers (
    alarm_id TEXT NOT NULL REFERENCES alarms (id),
    kind TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    PRIMARY KEY (alarm_id, kind)
) WITHOUT ROWID;
CREATE INDEX due_timers ON timers (due_at);

-- What we still have to tell homes: acknowledged, closed. ("stored" is answered from the event itself.)
CREATE TABLE home_receipts (
    id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    payload BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    sent_at BIGINT
) WITHOUT ROWID;
CREATE INDEX unsent_receipts ON home_receipts (id) WHERE sent_at IS NULL;

-- Every action that was carried out or refused, so that the same request again gets the same reply.
CREATE TABLE actions (
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    request TEXT NOT NULL,
    reply BLOB NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (organisation_id, request)
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

-- What an operator must know of: opened once per subject, ended when it is well again.
CREATE TABLE faults (
    id TEXT PRIMARY KEY,
    code TEXT NOT NULL,
    subject TEXT NOT NULL,
    message TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    ended_at BIGINT
) WITHOUT ROWID;
CREATE UNIQUE INDEX one_open_fault ON faults (code, subject) WHERE ended_at IS NULL;

-- Who looked at or changed what about whom. Append-only; each row carries the hash of all before it.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    organisation_id TEXT,
    home_id TEXT,
    subject TEXT NOT NULL,
    purpose TEXT NOT NULL,
    details TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX audit_of_home ON audit (home_id, at);
CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
