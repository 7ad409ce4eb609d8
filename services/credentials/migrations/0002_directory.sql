-- Who is who: each client's directories, and every account that they show.

CREATE TABLE directory (
    name          text        PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    tenant_id     uuid        NOT NULL,
    kind          text        NOT NULL,
    options       jsonb       NOT NULL,                 -- how it is reached; never a secret
    secret        text        NOT NULL,                 -- name of a file; its content is never here
    every_seconds integer     NOT NULL CHECK (every_seconds >= 60),
    enabled       boolean     NOT NULL DEFAULT true,    -- false: not read any more, so it goes stale, and nobody is reset
    added_at      timestamptz NOT NULL,
    own_id        text,                                 -- of the account that we act with
    domains       text[]      NOT NULL DEFAULT '{}',    -- that the directory has verified as its own, lower case
    fresh_at      timestamptz,                          -- when the last reading that showed everything began
    accounts      integer     NOT NULL DEFAULT 0,       -- that it showed
    fewer_is_right boolean    NOT NULL DEFAULT false,   -- a person said so: the next reading may show far fewer
    next_at       timestamptz NOT NULL,
    lease         uuid,                                 -- of the reading under way
    leased_until  timestamptz,
    failures      integer     NOT NULL DEFAULT 0,       -- in a row
    failed_at     timestamptz,
    last_error    text,
    CHECK ((lease IS NULL) = (leased_until IS NULL))
);
CREATE INDEX directory_tenant ON directory (tenant_id);

CREATE TABLE identity (
    directory  text        NOT NULL REFERENCES directory ON DELETE CASCADE,
    object_id  text        NOT NULL,                    -- the directory's own, which never changes
    tenant_id  uuid        NOT NULL,
    logins     text[]      NOT NULL,                    -- lower-case NFKC
    account    jsonb       NOT NULL,                    -- as the directory showed it
    enabled    boolean     NOT NULL,
    kind       text        NOT NULL,
    kind_why   text        NOT NULL,
    privileged boolean     NOT NULL,
    read_at    timestamptz NOT NULL,                    -- when the directory was asked; what was asked earlier changes nothing
    gone_at    timestamptz,                             -- a later reading of everything did not show it
    PRIMARY KEY (directory, object_id)
) WITH (fillfactor = 70);
CREATE INDEX identity_object ON identity (tenant_id, object_id) WHERE gone_at IS NULL;
CREATE INDEX identity_power ON identity (tenant_id) WHERE privileged AND gone_at IS NULL;

-- Who has which login: what ten thousand of them are looked up by at once.
CREATE TABLE login (
    tenant_id uuid NOT NULL,
    login     text NOT NULL,
    directory text NOT NULL,
    object_id text NOT NULL,
    PRIMARY KEY (tenant_id, login, directory, object_id),
    FOREIGN KEY (directory, object_id) REFERENCES identity ON DELETE CASCADE
);
CREATE INDEX login_of_identity ON login (directory, object_id);

SELECT patchline.isolate('directory');
SELECT patchline.isolate('identity');
SELECT patchline.isolate('login');

-- `patchline directory`: how a directory is reached, when it is read, and nothing of what was read.
GRANT INSERT (name, tenant_id, kind, options, secret, every_seconds, added_at, next_at),
      UPDATE (options, secret, every_seconds, enabled, next_at, fewer_is_right), DELETE
    ON directory TO patchline_operator;
