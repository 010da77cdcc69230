-- The incidents that alerts tell of, and indexes that find the last entries of a step in the run
-- log.

-- `told` and `end_told` are the channels that have sent the message of the beginning and of the
-- end; `told_at` and `end_told_at` are set once none is left that has to.
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
    end_told_at timestamptz
);
create unique index alert_incident_open on dwh.alert_incident (rule_name, subject)
where ended_at is null;

create index run_log_step on dwh.run_log (process, step, log_id);
create index run_log_failed on dwh.run_log (process, step)
where status in ('error', 'refused');
