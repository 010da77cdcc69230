-- A row is written by the transaction that copies its ranges. Before, it was there beforehand, and
-- one without a time was that of a range that had not landed.

delete from mrr_state.bulk_range
where landed_at is null;

alter table mrr_state.bulk_range alter column landed_at set default clock_timestamp();
alter table mrr_state.bulk_range alter column landed_at set not null;
