-- The sums of the steps of each day, which outlive the steps themselves.

create table dwh.daily_step_total (
    ended_date date not null,
    process text not null,
    step text not null,
    execution_count bigint not null,
    failure_count bigint not null,
    total_seconds numeric(14, 3) not null,
    longest_seconds numeric(14, 3),
    rows_affected bigint,
    refreshed_at timestamptz not null default clock_timestamp(),
    primary key (ended_date, process, step)
);
