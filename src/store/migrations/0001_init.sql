-- One schema for SQLite and PostgreSQL. Times are milliseconds since 1970, UTC. Discord ids are 64-bit numbers.

CREATE TABLE mapping (
    user_id BIGINT NOT NULL PRIMARY KEY,
    uid TEXT NOT NULL,
    set_by BIGINT,
    set_ms BIGINT NOT NULL
);
CREATE INDEX mapping_by_uid ON mapping (uid);

-- An interaction that we are about to acknowledge: received -> decided -> answered. The only place that holds its token.
CREATE TABLE receipt (
    interaction BIGINT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    token TEXT,
    token_expires_ms BIGINT NOT NULL,
    request TEXT NOT NULL,
    private BOOLEAN NOT NULL,
    locale TEXT NOT NULL,
    channel BIGINT NOT NULL,
    message BIGINT,
    received_ms BIGINT NOT NULL,
    lease_until_ms BIGINT NOT NULL,
    attempts BIGINT NOT NULL
);
CREATE INDEX receipt_by_state ON receipt (state, lease_until_ms);
CREATE INDEX receipt_by_expiry ON receipt (token_expires_ms) WHERE token IS NOT NULL;

-- An intention to change BK-CI: intended -> sending -> accepted, rejected, not_sent, unconfirmed, overtaken.
CREATE TABLE operation (
    id TEXT NOT NULL PRIMARY KEY,
    goal TEXT NOT NULL,
    cause BIGINT NOT NULL,
    state TEXT NOT NULL,
    wish TEXT NOT NULL,
    asked_by BIGINT NOT NULL,
    asked_ms BIGINT NOT NULL,
    sent_ms BIGINT,
    outcome TEXT,
    due_ms BIGINT NOT NULL,
    lease_until_ms BIGINT NOT NULL,
    attempts BIGINT NOT NULL
);
-- Two wishes for the same meet here. Rejected, not sent and unconfirmed ones make room for another try.
CREATE UNIQUE INDEX operation_goal ON operation (goal) WHERE state IN ('intended', 'sending', 'accepted');
CREATE INDEX operation_due ON operation (due_ms) WHERE state IN ('intended', 'sending', 'unconfirmed');

-- Something to be said on Discord: waiting -> delivered / given_up. A newer text replaces an older one and raises the revision.
CREATE TABLE delivery (
    id TEXT NOT NULL PRIMARY KEY,
    cause BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    reply TEXT NOT NULL,
    closing BOOLEAN NOT NULL,
    state TEXT NOT NULL,
    why TEXT,
    due_ms BIGINT NOT NULL,
    lease_until_ms BIGINT NOT NULL,
    attempts BIGINT NOT NULL
);
CREATE INDEX delivery_due ON delivery (due_ms) WHERE state = 'waiting';
