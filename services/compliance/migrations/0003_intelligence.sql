-- What feeds say of vulnerabilities and of products' ends, version by version, and what a release is beside its build.

ALTER TABLE catalog_product ADD COLUMN versions text;                           -- whose rules versions compare by
ALTER TABLE catalog_requirement ADD COLUMN owed text NOT NULL DEFAULT 'always'
    CHECK (owed IN ('always', 'when_named'));
ALTER TABLE catalog_release
    ADD COLUMN release_confirmed boolean     NOT NULL DEFAULT true,             -- the vendor's own moment
    ADD COLUMN cves              text[]      NOT NULL DEFAULT '{}',
    ADD COLUMN category          text        NOT NULL DEFAULT 'system',
    ADD COLUMN due_at            timestamptz,                                   -- an end of its own: end of service
    ADD COLUMN fixed_version     text;                                          -- of the package that has the fix
CREATE INDEX catalog_release_of ON catalog_release (requirement_id, release);   -- since when is it catalogued

-- One row for each file that was loaded, whatever it was: where it came from and what it became.
CREATE TABLE feed_version (
    id              integer     PRIMARY KEY CHECK (id > 0),
    feed            text        NOT NULL,
    label           text        NOT NULL,               -- the feed's own version; of EPSS the model and the day
    origin          text        NOT NULL,               -- a file's name, or the official address
    sha256          text        NOT NULL,               -- of the bytes
    entries         integer     NOT NULL CHECK (entries >= 0),
    published_at    timestamptz,                        -- by the feed's own word
    fetched_at      timestamptz,                        -- null: loaded from a file that somebody else fetched
    loaded_at       timestamptz NOT NULL,
    catalog_version integer                             -- null: it says something of vulnerabilities, below
);
CREATE INDEX feed_version_of_feed ON feed_version (feed, id);

CREATE TABLE feed_fact (
    id                     integer NOT NULL REFERENCES feed_version,
    cve                    text    NOT NULL,
    kev_added_at           timestamptz,
    kev_due_at             timestamptz,                 -- a hint: some lie before the day of addition
    ransomware             boolean,
    epss                   double precision CHECK (epss BETWEEN 0 AND 1),
    epss_percentile        double precision CHECK (epss_percentile BETWEEN 0 AND 1),
    cvss                   double precision CHECK (cvss BETWEEN 0 AND 10),
    cvss_vector            text,
    exploitation           text    CHECK (exploitation IN ('none', 'poc', 'active')),
    automatable            boolean,
    technical_impact_total boolean,
    PRIMARY KEY (id, cve)
);
CREATE INDEX feed_fact_of_cve ON feed_fact (cve, id);

-- Up to which version of any feed obligations were decided anew.
CREATE TABLE feed_applied (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id       integer NOT NULL
);
INSERT INTO feed_applied (id) VALUES (0);

-- `patchline catalog load` adds versions; it can never change or remove one.
GRANT SELECT, INSERT ON feed_version, feed_fact TO patchline_operator;
GRANT SELECT ON feed_applied TO patchline_operator;
