-- The audit: what was decided and done about credentials, one chain of entries for each client, only ever added to.

CREATE TABLE audit_head (
    tenant_id uuid   PRIMARY KEY,
    number    bigint NOT NULL,                          -- of the newest entry; 0: none yet
    hash      text   NOT NULL
);

CREATE TABLE audit_entry (
    tenant_id uuid        NOT NULL,
    number    bigint      NOT NULL CHECK (number > 0),
    at        timestamptz NOT NULL,
    line      text        NOT NULL,                     -- canonical JSON: text, because jsonb would write it anew
    hash      text        NOT NULL,                     -- SHA-256 of `line`, in hex
    content   text        NOT NULL,                     -- the same without its place in the chain: a repeat adds nothing
    PRIMARY KEY (tenant_id, number),
    UNIQUE (tenant_id, content)
);

SELECT patchline.isolate('audit_head');
SELECT patchline.isolate('audit_entry');

-- Nobody changes an entry: not the service, whose role would otherwise have the right, and not the tables' owner.
REVOKE UPDATE, DELETE, TRUNCATE ON audit_entry FROM credentials_writer;
REVOKE DELETE, TRUNCATE ON audit_head FROM credentials_writer;
CREATE FUNCTION audit_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is only ever added to' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_entry_stands BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_stands();
CREATE TRIGGER audit_head_stands BEFORE DELETE OR TRUNCATE ON audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION audit_stands();

-- A head only ever moves on.
CREATE FUNCTION audit_head_moves_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.tenant_id <> old.tenant_id OR new.number <= old.number THEN
        RAISE EXCEPTION 'the head of an audit only moves on' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER audit_head_moves_on BEFORE UPDATE ON audit_head
    FOR EACH ROW EXECUTE FUNCTION audit_head_moves_on();
