-- Residents, consents, grants that are proposed and approved, emergencies.
-- The table of grants holds what is in force or was; the alarm path reads that one alone.

CREATE TABLE residents (
    id TEXT PRIMARY KEY,
    home_id TEXT NOT NULL REFERENCES homes (id),
    is_permanent INTEGER NOT NULL,
    moved_in_at BIGINT NOT NULL,
    moved_out_at BIGINT,
    -- Name and phone, encrypted with a key that is not in this file; NULL once they are erased.
    sealed BLOB,
    erased_at BIGINT
) WITHOUT ROWID;
CREATE INDEX residents_of_home ON residents (home_id, id);

CREATE TABLE consents (
    id TEXT PRIMARY KEY,
    resident_id TEXT NOT NULL REFERENCES residents (id),
    data_class TEXT NOT NULL,
    purpose TEXT NOT NULL,
    how TEXT NOT NULL,
    -- Where the yes can be found again, such as the number of a document.
    reference TEXT NOT NULL,
    given_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    withdrawn_at BIGINT,
    withdrawn_by TEXT
) WITHOUT ROWID;
-- So that one withdrawal leaves no other yes to the same behind.
CREATE UNIQUE INDEX one_consent ON consents (resident_id, data_class, purpose) WHERE withdrawn_at IS NULL;
CREATE INDEX consents_of_resident ON consents (resident_id, id);

-- By which right a grant holds. Grants of older versions have no row here: their basis is their text.
CREATE TABLE grant_bases (
    grant_id TEXT PRIMARY KEY REFERENCES grants (id),
    kind TEXT NOT NULL,
    reference TEXT NOT NULL,
    -- Empty while nothing but time or a person has ended it: 'consent', when its consents were not there.
    ended_because TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE grant_consents (
    grant_id TEXT NOT NULL REFERENCES grants (id),
    consent_id TEXT NOT NULL REFERENCES consents (id),
    PRIMARY KEY (grant_id, consent_id)
) WITHOUT ROWID;
CREATE INDEX grants_of_consent ON grant_consents (consent_id);

-- What is proposed is kept as it was said: whether the home exists is judged, and told, at the approval.
CREATE TABLE grant_drafts (
    id TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    home_id TEXT NOT NULL,
    position TEXT,
    data_class TEXT NOT NULL,
    purpose TEXT NOT NULL,
    basis_kind TEXT NOT NULL,
    basis_reference TEXT NOT NULL,
    valid_from BIGINT,
    valid_until BIGINT,
    step INTEGER NOT NULL,
    within_micros BIGINT NOT NULL,
    state TEXT NOT NULL,
    proposed_at BIGINT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed_principal TEXT NOT NULL,
    decided_at BIGINT,
    decided_by TEXT,
    reason TEXT NOT NULL,
    grant_id TEXT REFERENCES grants (id)
) WITHOUT ROWID;
CREATE INDEX drafts_of_organisation ON grant_drafts (organisation_id, id);
CREATE INDEX drafts_of_home ON grant_drafts (home_id, id);
CREATE INDEX drafts_to_decide ON grant_drafts (id) WHERE state = 'proposed';

CREATE TABLE grant_templates (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    -- For every organisation of a kind, or for one.
    organisation_kind TEXT,
    organisation_id TEXT REFERENCES organisations (id),
    CHECK ((organisation_kind IS NULL) <> (organisation_id IS NULL))
) WITHOUT ROWID;

CREATE TABLE grant_template_items (
    template_id TEXT NOT NULL REFERENCES grant_templates (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    data_class TEXT NOT NULL,
    purpose TEXT NOT NULL,
    basis_kind TEXT NOT NULL,
    step INTEGER NOT NULL,
    within_micros BIGINT NOT NULL,
    PRIMARY KEY (template_id, number)
) WITHOUT ROWID;

CREATE TABLE emergencies (
    id TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    home_id TEXT NOT NULL REFERENCES homes (id),
    reason TEXT NOT NULL,
    taken_at BIGINT NOT NULL,
    taken_by TEXT NOT NULL,
    taken_principal TEXT NOT NULL,
    valid_until BIGINT NOT NULL,
    reviewed_at BIGINT,
    reviewed_by TEXT,
    outcome TEXT,
    note TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX emergencies_of_organisation ON emergencies (organisation_id, id);
CREATE INDEX emergencies_of_home ON emergencies (home_id, id);
CREATE INDEX emergencies_to_review ON emergencies (id) WHERE reviewed_at IS NULL;

CREATE TABLE emergency_grants (
    emergency_id TEXT NOT NULL REFERENCES emergencies (id),
    grant_id TEXT NOT NULL REFERENCES grants (id),
    PRIMARY KEY (emergency_id, grant_id)
) WITHOUT ROWID;
