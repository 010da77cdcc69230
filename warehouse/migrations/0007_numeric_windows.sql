-- The number at which the next window of a numeric cursor begins, less the overlap. Outliers are
-- left out, so that they hide no change.

alter table dwh.high_water_mark add column reads_from text;
