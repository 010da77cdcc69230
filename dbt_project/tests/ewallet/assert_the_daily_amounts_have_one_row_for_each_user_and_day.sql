-- Reads all transactions: where a run tests those that it has changed, dbt by hand tests this.
{%- set facts = node_of('model.tidemark.dwh_fact_ewallet_transactions') %}
select
    transaction_date,
    user_id,
    count(*) as row_count
from {{ ref('dwh_mart_ewallet_daily_user_amounts') }}
where {{ 'false' if rows_to_test(facts) else 'true' }}
group by transaction_date, user_id
having count(*) > 1
