-- Figures are summed from what each transaction changed, instead of counted anew (ADR 0063).

-- How many obligations more or less stand there. Without a state: the cell is to be counted whole.
ALTER TABLE figure_touched
    ADD COLUMN state    text,
    ADD COLUMN attested boolean,
    ADD COLUMN change   integer,
    ADD CHECK ((state IS NULL) = (change IS NULL) AND (state IS NULL) = (attested IS NULL));

-- `summed_as_of` is `as_of` where sums made the figure; a release that counts whole cells leaves it behind.
ALTER TABLE figure
    ADD COLUMN summed_as_of timestamptz,
    ADD COLUMN counted_at   timestamptz;                -- when its obligations were last counted whole
