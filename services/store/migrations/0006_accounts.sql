-- People and machines: what a token is limited to, accounts, their sessions, clients of the city's identity
-- provider. Of what is shown to be known by only digests are kept; names that somebody typed in vain are not.

-- Roles and permissions are lists with spaces between. No roles: those of the organisation's kind.
ALTER TABLE api_tokens ADD COLUMN roles TEXT NOT NULL DEFAULT '';
-- NULL: all that the roles permit.
ALTER TABLE api_tokens ADD COLUMN narrowed_to TEXT;
-- Which principal made it; empty: whoever was on the machine.
ALTER TABLE api_tokens ADD COLUMN created_by TEXT NOT NULL DEFAULT '';

CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    login TEXT NOT NULL,
    name TEXT NOT NULL,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    roles TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'suspended')),
    created_at BIGINT NOT NULL,
    -- argon2id; NULL: signs in at the identity provider only.
    password_hash TEXT,
    -- Of time-based codes, sealed; NULL: none.
    totp_secret BLOB,
    -- The newest time step whose code was used: a code is good once.
    totp_step BIGINT NOT NULL DEFAULT 0,
    -- Who it is at the identity provider.
    issuer TEXT,
    subject TEXT,
    -- 1: roles and organisation come from the identity provider's groups, at each sign-in.
    follows_groups INTEGER NOT NULL DEFAULT 0,
    last_sign_in_at BIGINT,
    CHECK ((issuer IS NULL) = (subject IS NULL))
) WITHOUT ROWID;
CREATE UNIQUE INDEX account_by_login ON accounts (login);
CREATE UNIQUE INDEX account_by_subject ON accounts (issuer, subject) WHERE subject IS NOT NULL;
CREATE INDEX accounts_of_organisation ON accounts (organisation_id, id);

CREATE TABLE recovery_codes (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    digest BLOB NOT NULL,
    PRIMARY KEY (account_id, digest)
) WITHOUT ROWID;

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    digest BLOB NOT NULL,
    -- 'password', 'password+code', 'password+recovery', 'provider'
    method TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    -- To the minute.
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT
) WITHOUT ROWID;
CREATE UNIQUE INDEX session_by_digest ON sessions (digest);
CREATE INDEX sessions_of_account ON sessions (account_id, id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Sign-ins that were tried in vain, and from where an account is used to come; by digest.
CREATE TABLE sign_in_tries (
    digest BLOB PRIMARY KEY,
    failures INTEGER NOT NULL,
    at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX sign_in_tries_by_age ON sign_in_tries (at);

CREATE TABLE machine_clients (
    -- As the identity provider calls it.
    id TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    name TEXT NOT NULL,
    roles TEXT NOT NULL,
    narrowed_to TEXT,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX machine_clients_of_organisation ON machine_clients (organisation_id, id);
