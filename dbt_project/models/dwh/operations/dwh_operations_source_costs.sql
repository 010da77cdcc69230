with run_log as (

    select * from {{ source('control', 'run_log') }}

),

mirror_verification as (

    select * from {{ source('control', 'mirror_verification') }}

),

extractions as (

    select
        step as table_name,
        count(*) as extraction_count,
        sum(execution_seconds)::numeric(14, 3) as extraction_seconds,
        max(execution_seconds) as longest_seconds
    from run_log
    where process = 'extract' and started_at > now() - interval '7 days'
    group by step

),

comparisons as (

    select
        mirror_verification.table_name,
        count(*) as comparison_count,
        sum(mirror_verification.fetched_rows)::bigint as fetched_rows,
        sum(mirror_verification.compared_rows)::bigint as compared_rows
    from mirror_verification
    inner join run_log
        on mirror_verification.run_id = run_log.run_id and run_log.process = run_log.step
    where run_log.started_at > now() - interval '7 days'
    group by mirror_verification.table_name

),

source_costs as (

    select
        coalesce(extractions.table_name, comparisons.table_name) as table_name,
        coalesce(extractions.extraction_count, 0) as extraction_count,
        coalesce(comparisons.comparison_count, 0) as comparison_count,
        coalesce(extractions.extraction_seconds, 0) as extraction_seconds,
        extractions.longest_seconds,
        coalesce(comparisons.fetched_rows, 0) as fetched_rows,
        coalesce(comparisons.compared_rows, 0) as compared_rows,
        (
            extractions.extraction_seconds
            / nullif(sum(extractions.extraction_seconds) over (), 0)
        )::numeric(5, 4) as share_of_seconds
    from extractions
    full join comparisons
        on extractions.table_name = comparisons.table_name

)

select * from source_costs
