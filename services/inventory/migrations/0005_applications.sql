-- Which applications an asset has: those of its newest complete listing, and what later listings of a part added to it.

CREATE TABLE application_listing (
    asset_id  uuid        PRIMARY KEY,
    tenant_id uuid        NOT NULL,                     -- the asset's
    listed_at timestamptz,                              -- of the newest complete listing; null: there was none yet
    listing   text,                                     -- which one; breaks a tie of moments
    digest    bytea       NOT NULL,                     -- of what it lists: the same again writes no application
    added     integer     NOT NULL CHECK (added >= 0),  -- how many of the asset's applications have an `added_at`
    CHECK ((listed_at IS NULL) = (listing IS NULL))
) WITH (fillfactor = 70);
CREATE INDEX application_listing_of_tenant ON application_listing (tenant_id);

CREATE TABLE application (
    asset_id       uuid        NOT NULL,
    application_id uuid        NOT NULL,                -- from all that names it, its version among that
    tenant_id      uuid        NOT NULL,
    name           text        NOT NULL,
    version        text,
    publisher      text,
    architecture   text,
    origin         text,                                -- what keeps it there: deb, rpm, registry
    added_at       timestamptz,                         -- of the newest listing of a part that has it; null: the complete one has it
    added_listing  text,
    PRIMARY KEY (asset_id, application_id),
    CHECK ((added_at IS NULL) = (added_listing IS NULL))
);
CREATE INDEX application_of_tenant ON application (tenant_id, name);

SELECT patchline.isolate('application_listing');
SELECT patchline.isolate('application');
