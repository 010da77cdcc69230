-- How many rows were transferred from the source, and what the counts of a comparison mean
-- (docs/glossary.md).

alter table dwh.mirror_verification add column fetched_rows bigint;

comment on column dwh.mirror_verification.fetched_rows is
'Rows whose values came over from the source: read beforehand, or found to differ.';
comment on column dwh.mirror_verification.compared_rows is
'Rows of which both sides made a digest; of the others of a large table, the keys were compared.';
comment on column dwh.mirror_verification.inserted is 'Rows that the run inserted: applied.';
comment on column dwh.mirror_verification.updated is 'Rows that the run updated: applied.';
comment on column dwh.mirror_verification.deleted is 'Rows that the run deleted: applied.';
comment on column dwh.mirror_verification.repaired_rows is
'Rows applied because the comparison found them to differ, and not because they were read.';
