-- The moment of the source that a table was mirrored at: the same for all tables of one snapshot,
-- null where a table claims none.

alter table dwh.mirror_verification add column moment_id text;
