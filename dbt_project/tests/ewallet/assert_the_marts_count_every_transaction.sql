-- Sums over all transactions: where a run tests those that it has changed, dbt by hand tests this.
{%- set facts = node_of('model.tidemark.dwh_fact_ewallet_transactions') %}
with totals as (

    select
        'fact' as relation_name,
        count(*) as transaction_count,
        sum(transaction_amount) as transaction_amount
    from {{ ref('dwh_fact_ewallet_transactions') }}
    union all
    select
        'daily' as relation_name,
        coalesce(sum(transaction_count), 0) as transaction_count,
        sum(transaction_amount) as transaction_amount
    from {{ ref('dwh_mart_ewallet_daily_user_amounts') }}
    union all
    select
        'merchants' as relation_name,
        coalesce(sum(transaction_count), 0) as transaction_count,
        sum(transaction_amount) as transaction_amount
    from {{ ref('dwh_mart_ewallet_merchant_transactions') }}
    union all
    select
        'daily merchants' as relation_name,
        coalesce(sum(successful_count), 0) as transaction_count,
        sum(successful_amount) as transaction_amount
    from {{ ref('dwh_mart_ewallet_daily_merchant_transactions') }}

)

select
    counted.relation_name,
    counted.transaction_count,
    counted.transaction_amount
from totals as counted
inner join totals as expected
    on expected.relation_name = 'fact'
where
    {{ 'false' if rows_to_test(facts) else 'true' }}
    and (counted.transaction_count, counted.transaction_amount)
    is distinct from (expected.transaction_count, expected.transaction_amount)
