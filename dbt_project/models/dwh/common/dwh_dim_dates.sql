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

)

select * from described_days
