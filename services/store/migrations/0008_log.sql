-- Signed heads of the log, checks of it, and what is counted for the basis of prices.

-- Format 1 has no resident; format 2 hashes it and the format itself.
ALTER TABLE audit ADD COLUMN resident_id TEXT;
ALTER TABLE audit ADD COLUMN format INTEGER NOT NULL DEFAULT 1;

-- What the hub does by itself is most of the log and is asked for by home, organisation or time: it is left
-- out of the index of actors, so that an alarm does not pay for it.
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_of_organisation ON audit (organisation_id, at) WHERE organisation_id IS NOT NULL;
CREATE INDEX audit_of_resident ON audit (resident_id, at) WHERE resident_id IS NOT NULL;
CREATE INDEX audit_of_actor ON audit (actor, at) WHERE actor <> 'hub';

-- How far the log reached at a moment, signed. Each row is sealed by the entry of the log that is its key:
-- that entry carries its digest. Kind 'head': of a day. Kind 'anchor': all up to number is past its time and
-- may be deleted; the chain begins behind it, with its hash.
CREATE TABLE audit_heads (
    entry INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    day TEXT NOT NULL,
    number BIGINT NOT NULL,
    hash TEXT NOT NULL,
    at BIGINT NOT NULL,
    -- The digest of the row before this one.
    previous TEXT NOT NULL,
    key_id TEXT NOT NULL,
    signature TEXT NOT NULL
);
CREATE INDEX audit_anchors ON audit_heads (number) WHERE kind = 'anchor';

-- What was drawn from the log to be looked at, and what was found; sealed like heads.
CREATE TABLE audit_samples (
    entry INTEGER PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    criteria TEXT NOT NULL,
    seed TEXT NOT NULL,
    size INTEGER NOT NULL,
    -- How many entries it was drawn from.
    population BIGINT NOT NULL,
    -- Numbers of entries, as JSON.
    picked TEXT NOT NULL
);
CREATE TABLE audit_reviews (
    entry INTEGER PRIMARY KEY,
    -- Its own entry may be kept longer than the sample's.
    sample INTEGER NOT NULL,
    at BIGINT NOT NULL,
    reviewer TEXT NOT NULL,
    outcome TEXT NOT NULL,
    note TEXT NOT NULL
);
CREATE INDEX audit_reviews_of_sample ON audit_reviews (sample);

-- Nothing is changed, nothing is written over, and nothing is deleted before its time.
DROP TRIGGER audit_is_append_only_delete;
CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit
WHEN OLD.number > COALESCE((SELECT MAX(number) FROM audit_heads WHERE kind = 'anchor'), 0)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_append_only_insert BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_heads_are_append_only_update BEFORE UPDATE ON audit_heads
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_heads_are_append_only_delete BEFORE DELETE ON audit_heads
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_heads_are_append_only_insert BEFORE INSERT ON audit_heads
WHEN EXISTS (SELECT 1 FROM audit_heads WHERE entry = NEW.entry)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_samples_are_append_only_update BEFORE UPDATE ON audit_samples
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_samples_are_append_only_delete BEFORE DELETE ON audit_samples
WHEN OLD.entry > COALESCE((SELECT MAX(number) FROM audit_heads WHERE kind = 'anchor'), 0)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_samples_are_append_only_insert BEFORE INSERT ON audit_samples
WHEN EXISTS (SELECT 1 FROM audit_samples WHERE entry = NEW.entry)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_reviews_are_append_only_update BEFORE UPDATE ON audit_reviews
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_reviews_are_append_only_delete BEFORE DELETE ON audit_reviews
WHEN OLD.entry > COALESCE((SELECT MAX(number) FROM audit_heads WHERE kind = 'anchor'), 0)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_reviews_are_append_only_insert BEFORE INSERT ON audit_reviews
WHEN EXISTS (SELECT 1 FROM audit_reviews WHERE entry = NEW.entry)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- Usage. Readings are counted when their release is filed, for the day (since 1970, UTC) of the release.
CREATE TABLE usage_readings (
    day INTEGER NOT NULL,
    organisation_id TEXT NOT NULL,
    data_class TEXT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (day, organisation_id, data_class)
) WITHOUT ROWID;
INSERT INTO usage_readings (day, organisation_id, data_class, count)
    SELECT at / 86400000000, organisation_id,
           substr(details, instr(details, ' readings of ') + 13), SUM(CAST(details AS INTEGER))
    FROM audit WHERE action = 'readings_released' AND organisation_id IS NOT NULL GROUP BY 1, 2, 3;

-- Grants that were deleted and must be counted yet; until their month is closed.
CREATE TABLE usage_deleted_grants (
    grant_id TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL,
    home_id TEXT NOT NULL,
    data_class TEXT NOT NULL,
    valid_from BIGINT NOT NULL,
    ended_at BIGINT
) WITHOUT ROWID;
CREATE TRIGGER deleted_grants_are_counted BEFORE DELETE ON grants
BEGIN
    INSERT INTO usage_deleted_grants (grant_id, organisation_id, home_id, data_class, valid_from, ended_at)
    VALUES (OLD.id, OLD.organisation_id, OLD.home_id, OLD.data_class, OLD.valid_from,
            CASE WHEN OLD.revoked_at IS NULL OR OLD.valid_until < OLD.revoked_at THEN OLD.valid_until
                 ELSE OLD.revoked_at END);
END;

-- Months that are over, as they were counted once.
CREATE TABLE usage_months (
    month TEXT PRIMARY KEY,
    closed_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE usage_counts (
    month TEXT NOT NULL REFERENCES usage_months (month),
    organisation_id TEXT NOT NULL,
    what TEXT NOT NULL,
    part TEXT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (month, organisation_id, what, part)
) WITHOUT ROWID;
