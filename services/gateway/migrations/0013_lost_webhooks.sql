-- How many webhooks a source's vendor says it could not deliver, where it keeps account of them; the poller adds.
ALTER TABLE poll_state ADD COLUMN lost_webhooks bigint NOT NULL DEFAULT 0;
