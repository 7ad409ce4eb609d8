-- When what a word follows from came in, and when it was so: a word that is told once more may hold against a newer one.
ALTER TABLE standing ADD COLUMN received_at timestamptz, ADD COLUMN occurred_at timestamptz;
