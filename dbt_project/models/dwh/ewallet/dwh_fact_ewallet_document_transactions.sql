-- Cursor: the change log of the documents, by key. Overlap: none, a position in that log is exact.
-- A document that an import deletes, or that is no longer valid, leaves.
{{
    config(
        materialized = 'incremental',
        unique_key = 'document_key',
        indexes = [{'columns': ['transaction_id']}, {'columns': ['user_id']}],
        meta = {
            'power_bi': false,
            'changes': [
                {'table': 'mrr_fact_ewallet_transaction_documents', 'key': ['document_key']},
            ],
        },
    )
}}

with documents as (

    select * from {{ ref('stg_fact_ewallet_transaction_documents') }}
    where {{ is_unread() }}

),

dated_documents as (

    select
        document_key,
        document_id,
        transaction_id,
        user_id,
        merchant_id,
        transaction_status,
        transaction_amount,
        cardinality(failed_columns) as failed_column_count,
        (transaction_time at time zone '{{ var("business_time_zone") }}')::date as transaction_date,
        transaction_time,
        updated_at
    from documents

)

select * from dated_documents
