{#- The statement that tests also records whether the test has passed, and on which versions of what
    it reads. If failures are stored, an earlier statement has read these. -#}
{% macro postgres__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) -%}
    {%- set record = record_of(model.unique_id) -%}
    {%- set tested = default__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) -%}
    {%- set is_error = (config.get('severity') or 'error') | lower == 'error' -%}
    with tested as (
        {{ tested }}
    ),

    recorded as (
        select mrr_state.record_build(
            '{{ model.unique_id }}',
            case
                when not (tested.should_warn{{ ' or tested.should_error' if is_error }})
                    then '{{ record.fingerprint if builds_all_rows() }}'
            end,
            null,
            null,
            versions.versions,
            '{{ var("business_time_zone") }}'
        )
        from tested
        cross join (
            select {{ stored_versions() if should_store_failures() else record.versions_read }}
        ) as versions (versions)
    )

    select
        tested.failures,
        tested.should_warn,
        tested.should_error
    from tested
    cross join recorded
{%- endmacro %}
