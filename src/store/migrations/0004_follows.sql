-- The unit of looking at BK-CI: what one UID may see of one pipeline. Times of BK-CI's clock are called so.
CREATE TABLE look (
    id TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    as_user TEXT NOT NULL,
    -- The newest `updateTime` seen (BK-CI's clock); absent before the first look.
    mark_ms BIGINT,
    looked_ms BIGINT NOT NULL DEFAULT 0,
    -- Looks in a row that were refused, and that failed otherwise.
    refused BIGINT NOT NULL DEFAULT 0,
    failed BIGINT NOT NULL DEFAULT 0,
    due_ms BIGINT NOT NULL,
    lease_until_ms BIGINT NOT NULL DEFAULT 0,
    attempts BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX look_due ON look (due_ms);
CREATE INDEX look_by_pipeline ON look (project, pipeline);

-- A build that is looked at until its attempt ends. The row goes with the end; the notices stay.
CREATE TABLE follow (
    build TEXT NOT NULL PRIMARY KEY,
    look TEXT NOT NULL,
    user_id BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    -- Of what the last look saw; absent before the first.
    seen TEXT,
    -- When its detail was last read, and when this attempt was asked for.
    read_ms BIGINT NOT NULL DEFAULT 0,
    since_ms BIGINT NOT NULL,
    -- Raised when the follow is begun anew, so that a look that began before does not end it.
    revision BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX follow_by_look ON follow (look);

-- A channel's standing wish to hear of a pipeline.
CREATE TABLE watch (
    id TEXT NOT NULL PRIMARY KEY,
    guild BIGINT NOT NULL,
    channel BIGINT NOT NULL,
    project TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    pipeline_name TEXT NOT NULL,
    look TEXT NOT NULL,
    as_user TEXT NOT NULL,
    user_id BIGINT NOT NULL,
    hears TEXT NOT NULL,
    branch TEXT,
    mention BIGINT,
    mention_starter BOOLEAN NOT NULL,
    locale TEXT NOT NULL,
    -- Builds that ended before are not told (BK-CI's clock).
    since_ms BIGINT NOT NULL,
    added_ms BIGINT NOT NULL,
    state TEXT NOT NULL
);
CREATE INDEX watch_by_look ON watch (look);
CREATE INDEX watch_by_channel ON watch (channel);

-- The one message per build in a channel.
CREATE TABLE notice (
    id BIGINT NOT NULL PRIMARY KEY,
    guild BIGINT NOT NULL,
    channel BIGINT NOT NULL,
    build TEXT NOT NULL,
    project TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    branch TEXT,
    number BIGINT NOT NULL,
    locale TEXT NOT NULL,
    -- The delivery that is its message.
    delivery TEXT NOT NULL,
    facts TEXT NOT NULL,
    -- Whether the channel was told of a failure that is not repaired yet.
    broken BOOLEAN NOT NULL,
    -- The budget of its edits: when it would be full again.
    full_ms BIGINT NOT NULL DEFAULT 0,
    edited_ms BIGINT NOT NULL DEFAULT 0,
    revision BIGINT NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX notice_by_build ON notice (build, channel);
CREATE INDEX notice_broken ON notice (channel, pipeline) WHERE broken;

-- A callback that was registered at BK-CI, or is to be.
CREATE TABLE hook (
    id TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL,
    -- Absent for one of the whole project.
    pipeline TEXT,
    as_user TEXT NOT NULL,
    -- Where BK-CI tells, and by which token: changes when either does, and holds no secret.
    mark TEXT NOT NULL,
    -- wanted -> registered or refused; unwanted -> the row goes.
    state TEXT NOT NULL,
    -- The interaction whose answer tells what became of it.
    cause BIGINT,
    -- Calls in a row without an answer.
    failed BIGINT NOT NULL DEFAULT 0,
    due_ms BIGINT NOT NULL,
    lease_until_ms BIGINT NOT NULL DEFAULT 0,
    attempts BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX hook_due ON hook (due_ms) WHERE state IN ('wanted', 'unwanted');

ALTER TABLE operation ADD COLUMN kind TEXT NOT NULL DEFAULT 'retry';

-- Where a message goes that answers no interaction, and in which language.
ALTER TABLE delivery ADD COLUMN channel BIGINT;
ALTER TABLE delivery ADD COLUMN locale TEXT;

-- Tries since the message last took a text; `attempts` only ever grows.
ALTER TABLE delivery ADD COLUMN tried BIGINT NOT NULL DEFAULT 0;
