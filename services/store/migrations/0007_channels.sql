-- How receivers want to be told: subscriptions, and deliveries by channel.

-- One of each channel and organisation: a delivery is for a receiver over a channel.
CREATE TABLE subscriptions (
    id TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    channel TEXT NOT NULL,
    state TEXT NOT NULL,
    -- More than 0: a second channel, told when no other has been confirmed after so long.
    after_micros BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Of a webhook; its secrets are sealed. The old secret signs too until its end.
    url TEXT,
    payload TEXT,
    signature TEXT,
    secret BLOB,
    old_secret BLOB,
    old_secret_until BIGINT,
    -- How its last attempts went.
    failing_since BIGINT,
    problem TEXT NOT NULL,
    UNIQUE (organisation_id, channel)
) WITHOUT ROWID;

-- Who says nothing else is told over MQTT.
CREATE TRIGGER organisations_are_told_over_mqtt AFTER INSERT ON organisations
BEGIN
    INSERT INTO subscriptions (id, organisation_id, channel, state, after_micros, created_at, problem)
    VALUES (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2)
            || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))),
            NEW.id, 'mqtt', 'live', 0, CAST(unixepoch('subsec') * 1000000 AS INTEGER), '');
END;
INSERT INTO subscriptions (id, organisation_id, channel, state, after_micros, created_at, problem)
    SELECT lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2)
                 || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))),
           id, 'mqtt', 'live', 0, CAST(unixepoch('subsec') * 1000000 AS INTEGER), ''
    FROM organisations;

-- Trials of webhooks: asked for over HTTP, made by the process that may go outside.
CREATE TABLE pings (
    id TEXT PRIMARY KEY,
    subscription_id TEXT NOT NULL REFERENCES subscriptions (id) ON DELETE CASCADE,
    asked_at BIGINT NOT NULL,
    answered_at BIGINT,
    is_ok INTEGER,
    problem TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX pings_to_send ON pings (id) WHERE answered_at IS NULL;
CREATE INDEX pings_of_subscription ON pings (subscription_id, id);

-- 1: over a second channel; told only when no other channel of the receiver has been confirmed by then.
ALTER TABLE deliveries ADD COLUMN is_second INTEGER NOT NULL DEFAULT 0;
-- When somebody asked that what had expired be told again.
ALTER TABLE deliveries ADD COLUMN again_at BIGINT;

-- The channels of a receiver share a number, so that it counts without gaps whichever it listens to.
DROP INDEX gap_free_sequence;
CREATE UNIQUE INDEX gap_free_sequence ON deliveries (organisation_id, sequence, channel)
    WHERE sequence IS NOT NULL;

-- Each process releases its own channels: what waits for another one must not stand in its way.
DROP INDEX fresh_deliveries;
CREATE INDEX fresh_deliveries ON deliveries (channel, next_attempt_at) WHERE state = 'pending';
DROP INDEX repeated_deliveries;
CREATE INDEX repeated_deliveries ON deliveries (channel, next_attempt_at) WHERE state = 'sent';
-- Webhooks are released by receiver: one that hangs must not stand in the way of the others.
CREATE INDEX fresh_webhooks ON deliveries (organisation_id, next_attempt_at)
    WHERE channel = 'webhook' AND state = 'pending';
CREATE INDEX repeated_webhooks ON deliveries (organisation_id, next_attempt_at)
    WHERE channel = 'webhook' AND state = 'sent';
-- One that was away is told what it missed in the order of the numbers.
CREATE INDEX webhooks_by_number ON deliveries (organisation_id, sequence)
    WHERE channel = 'webhook' AND state = 'sent';
-- What nobody confirmed, to be looked at and told again.
CREATE INDEX dead_deliveries ON deliveries (organisation_id, id) WHERE state = 'expired';
