-- What a command works on and whether it failed by itself, so that alerts tell runs of other tables
-- apart; and what alerts have to remember of the addresses.

-- `scope` has the options that restrict a command to some tables, such as `--domain sales`; null if
-- it works on all of them. `is_own_failure` is true if the command failed by itself, and not only
-- steps that have rows of their own.
alter table dwh.run_log
add column scope text,
add column is_own_failure boolean not null default false;

-- by time: a restore gives rows of the backup higher ids than later ones have
drop index dwh.run_log_step;
create index run_log_step on dwh.run_log (process, step, started_at, log_id);
drop index dwh.run_log_failed;
create index run_log_failed on dwh.run_log (process, step)
where status in ('error', 'refused', 'running');
create index mirror_verification_different on dwh.mirror_verification (table_name)
where not is_equal;

-- whether the last complete run mirrored the table
alter table dwh.high_water_mark add column is_mirrored boolean not null default true;

-- for each channel that could not tell: how often in a row, and when it was last tried
alter table dwh.alert_incident add column tried jsonb not null default '{}';

-- A channel is known by a digest of its address, which has a password or a token in it. With a key
-- of this warehouse, which an analyst cannot read, nobody can try passwords on the digest.
create table mrr_state.alert_key (channel_key text not null);
insert into mrr_state.alert_key (channel_key) values (gen_random_uuid()::text);
