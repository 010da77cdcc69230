with days as (

    select calendar.day_start::date as calendar_date
    from
        generate_series(
            '{{ var("calendar_start") }}'::timestamp,
            date_trunc('year', now() at time zone '{{ var("business_time_zone") }}')
            + interval '2 years - 1 day',
            interval '1 day'
        ) as calendar (day_start)

),

described_days as (

    select
        to_char(calendar_date, 'YYYYMMDD')::integer as date_key,
        calendar_date,
        extract(year from calendar_date)::integer as calendar_year,
        extract(quarter from calendar_date)::integer as calendar_quarter,
        extract(month from calendar_date)::integer as calendar_month,
        to_char(calendar_date, 'FMMonth') as month_name,
        extract(isoyear from calendar_date)::integer as iso_year,
        extract(week from calendar_date)::integer as iso_week,
        extract(isodow from calendar_date)::integer as iso_weekday,
        to_char(calendar_date, 'FMDay') as weekday_name,
        extract(isodow from calendar_date) >= 6 as is_weekend
    from days

),

unknown_member as (

    select
        -1 as date_key,
        null::date as calendar_date,
        null::integer as calendar_year,
        null::integer as calendar_quarter,
        null::integer as calendar_month,
        'unknown month' as month_name,
        null::integer as iso_year,
        null::integer as iso_week,
        null::integer as iso_weekday,
        'unknown day' as weekday_name,
        null::boolean as is_weekend

),

members as (

    select * from unknown_member
    union all
    select * from described_days

)

select * from members
