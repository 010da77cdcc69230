-- A table: an analyst may not call the functions of `stg` that a view would.
{{ config(materialized = 'table') }}

with documents as (

    select * from {{ ref('stg_checked_ewallet_transaction_documents') }}

),

failed_columns as (

    select
        failed.column_name,
        documents.rejection_reason
    from documents
    cross join lateral unnest(documents.failed_columns) as failed (column_name)

),

counted_failures as (

    select
        column_name,
        count(*) as failed_document_count,
        count(rejection_reason) as rejected_document_count
    from failed_columns
    group by column_name

)

select * from counted_failures
