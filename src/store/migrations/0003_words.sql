-- The language of a server as an interaction last told it: a message in words tells none.
CREATE TABLE guild (
    id BIGINT NOT NULL PRIMARY KEY,
    locale TEXT NOT NULL
);

-- The message that asked in words, which the answer replies to. It stands in the place of the interaction's id too, and
-- there is no token.
ALTER TABLE receipt ADD COLUMN reply_to BIGINT;
