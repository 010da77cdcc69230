-- The moment of the source that a mirrored table shows: the same for all tables of one snapshot,
-- null if a table shows none.

alter table dwh.mirror_verification add column moment_id text;
