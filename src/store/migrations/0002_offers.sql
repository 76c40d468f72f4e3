-- A button that was posted: what pressing it would do, for whom, until when, and whether it was used.
CREATE TABLE offer (
    id TEXT NOT NULL PRIMARY KEY,
    cause BIGINT NOT NULL,
    verb TEXT NOT NULL,
    about TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    status TEXT NOT NULL,
    digest TEXT NOT NULL,
    asker BIGINT,
    expires_ms BIGINT NOT NULL,
    used_by BIGINT,
    used_ms BIGINT
);
CREATE INDEX offer_by_expiry ON offer (expires_ms);

-- What is public although its cause was answered in private is said in the server's language.
ALTER TABLE receipt ADD COLUMN guild_locale TEXT NOT NULL DEFAULT 'en';

-- A text that is a message of its own in the channel, and not the answer to its cause; and which message it became.
ALTER TABLE delivery ADD COLUMN post BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE delivery ADD COLUMN message BIGINT;
