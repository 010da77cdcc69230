-- Cursor: the change log of the documents, by key: all entries of a document that changed are built
-- again. Overlap: none, a position in that log is exact. If a document leaves, its entries do too.
{{
    config(
        materialized = 'incremental',
        unique_key = ['document_key', 'element_position'],
        meta = {
            'power_bi': false,
            'changes': [
                {'table': 'mrr_fact_ewallet_transaction_documents', 'key': ['document_key']},
            ],
        },
    )
}}

with entries as (

    select * from {{ ref('stg_fact_ewallet_document_entries') }}
    where {{ is_unread() }}

),

counted_entries as (

    select
        document_key,
        element_position,
        entry_account,
        entry_amount,
        cardinality(failed_columns) as failed_column_count
    from entries

)

select * from counted_entries
