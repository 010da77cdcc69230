-- The number that the next window of a numeric cursor begins at, less the overlap: a row with one
-- beyond all others hides no change.

alter table dwh.high_water_mark add column reads_from text;
