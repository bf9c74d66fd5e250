-- Answers to requests that may come twice, and indices for what is asked.

-- Written in the transaction of what the request did. A key is kept as a digest, an answer sealed with the key:
-- nobody reads it here, whoever has the key gets it again.
CREATE TABLE api_answers (
    principal TEXT NOT NULL,
    key_digest BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (principal, key_digest)
) WITHOUT ROWID;
CREATE INDEX api_answers_by_age ON api_answers (at);

-- An organisation's grants, the newest first; the homes that a fibre node serves.
CREATE INDEX grants_by_age ON grants (organisation_id, id);
CREATE INDEX homes_of_node ON homes (node, id);

-- What is open is few among many, and is asked for in order.
CREATE INDEX open_alarms ON alarms (id) WHERE state <> 'closed';
