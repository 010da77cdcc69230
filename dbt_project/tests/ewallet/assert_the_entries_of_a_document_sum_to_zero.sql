-- What the user pays, the merchant is paid. Entries that could not all be read are left out.
select
    document_key,
    sum(entry_amount) as entry_amount
from {{ ref('dwh_fact_ewallet_document_entries') }}
group by document_key
having sum(entry_amount) <> 0 and sum(failed_column_count) = 0
