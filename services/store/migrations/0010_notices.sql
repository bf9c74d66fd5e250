-- Letters by e-mail about the hub itself, and what each audience has been told of which fault.
-- Audience: '' the city, else the id of an organisation.

CREATE TABLE letters (
    id TEXT PRIMARY KEY,
    audience TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    -- NULL: on its way.
    ended_at BIGINT,
    is_sent INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX one_letter_on_its_way ON letters (audience, kind) WHERE ended_at IS NULL;
CREATE INDEX letters_of_audience ON letters (audience, kind, made_at);

CREATE TABLE fault_letters (
    fault_id TEXT NOT NULL REFERENCES faults (id),
    audience TEXT NOT NULL,
    said TEXT NOT NULL,
    PRIMARY KEY (fault_id, audience, said)
) WITHOUT ROWID;

CREATE TABLE organisation_contacts (
    organisation_id TEXT PRIMARY KEY REFERENCES organisations (id),
    mail TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX ended_faults ON faults (ended_at) WHERE ended_at IS NOT NULL;
-- Few, and asked for every other second by whoever monitors.
CREATE INDEX silent_devices ON device_status (device_id) WHERE is_silent = 1;
