-- What an organisation's machines show at the HTTP interface. Of a token only its digest is kept.

CREATE TABLE api_tokens (
    id TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    -- To the hour.
    last_used_at BIGINT
) WITHOUT ROWID;
CREATE UNIQUE INDEX api_token_by_digest ON api_tokens (digest);
CREATE INDEX api_tokens_of_organisation ON api_tokens (organisation_id, id);

-- An organisation's homes are asked for page by page.
DROP INDEX grants_of_organisation;
CREATE INDEX grants_of_organisation ON grants (organisation_id, home_id);
