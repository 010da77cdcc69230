-- The incidents that alerts tell of, and what finds them in the run log.

-- `told` and `end_told` are the channels that have sent the message of the beginning and of the
-- end; `told_at` and `end_told_at` are set once none is left that has to. `tried` has for each
-- channel that could not tell how often in a row, and when it was last tried.
create table dwh.alert_incident (
    incident_id bigint generated always as identity primary key,
    rule_name text not null,
    subject text not null,
    problem text not null,
    next_command text not null,
    since timestamptz not null,
    opened_at timestamptz not null default clock_timestamp(),
    told text[] not null default '{}',
    told_at timestamptz,
    ended_at timestamptz,
    end_told text[] not null default '{}',
    end_told_at timestamptz,
    tried jsonb not null default '{}'
);
create unique index alert_incident_open on dwh.alert_incident (rule_name, subject)
where ended_at is null;

-- A channel is known by a digest of its address, which has a password or a token in it. With a key
-- of this warehouse, which an analyst cannot read, nobody can try passwords on the digest.
create table mrr_state.alert_key (channel_key text not null);
insert into mrr_state.alert_key (channel_key) values (gen_random_uuid()::text);

-- `scope` has the options that restrict a command to a part of its work, such as `--domain sales`;
-- null if it does all of it. `is_own_failure` is true if the command failed by itself, and not only
-- steps that have rows of their own.
alter table dwh.run_log
add column scope text,
add column is_own_failure boolean not null default false;

-- by time: a restore gives rows of the backup higher ids than later ones have
create index run_log_step on dwh.run_log (process, step, started_at, log_id);
create index run_log_failed on dwh.run_log (process, step)
where status in ('error', 'refused', 'running');
create index mirror_verification_different on dwh.mirror_verification (table_name)
where not is_equal;

-- whether the last complete run mirrored the table
alter table dwh.high_water_mark add column is_mirrored boolean not null default true;
