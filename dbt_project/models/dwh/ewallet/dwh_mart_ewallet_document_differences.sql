-- An export and the mirror are of two moments. So values are compared where both have the same time
-- of update. What only one of them has is told, and need not be a fault.
with documents as (

    select * from {{ ref('dwh_fact_ewallet_document_transactions') }}

),

transactions as (

    select * from {{ ref('stg_checked_ewallet_transactions') }}

),

export as (

    select max(updated_at) as last_at
    from documents

),

pairs as (

    select
        coalesce(documents.transaction_id, transactions.transaction_id) as transaction_id,
        documents.document_key is not null as is_in_documents,
        transactions.transaction_id is not null as is_in_mirror,
        documents.user_id as document_user_id,
        transactions.user_id as mirror_user_id,
        documents.merchant_id as document_merchant_id,
        transactions.merchant_id as mirror_merchant_id,
        documents.transaction_status as document_status,
        transactions.transaction_status as mirror_status,
        documents.transaction_amount as document_amount,
        transactions.transaction_amount as mirror_amount,
        documents.transaction_time as document_time,
        transactions.transaction_time as mirror_time,
        documents.updated_at as document_updated_at,
        -- a date of MongoDB has no microseconds
        date_trunc('milliseconds', transactions.updated_at) as mirror_updated_at
    from documents
    full join transactions
        on documents.transaction_id = transactions.transaction_id

),

comparable_pairs as (

    select pairs.*
    from pairs
    cross join export
    where
        case
            when pairs.is_in_documents and pairs.is_in_mirror
                then
                    pairs.document_updated_at is null
                    or pairs.document_updated_at = pairs.mirror_updated_at
            when pairs.is_in_mirror then pairs.mirror_updated_at <= export.last_at
            else true
        end

),

differences as (

    select
        comparable_pairs.transaction_id,
        case
            when not comparable_pairs.is_in_mirror then 'only in the documents'
            when not comparable_pairs.is_in_documents then 'only in the mirror'
            else compared.column_name
        end as difference,
        compared.document_value,
        compared.mirror_value,
        comparable_pairs.document_updated_at,
        comparable_pairs.mirror_updated_at
    from comparable_pairs
    cross join
        lateral (
            values
            (
                'transaction_id',
                case when comparable_pairs.is_in_documents then comparable_pairs.transaction_id end,
                case when comparable_pairs.is_in_mirror then comparable_pairs.transaction_id end
            ),
            (
                'user_id',
                comparable_pairs.document_user_id::text,
                comparable_pairs.mirror_user_id::text
            ),
            (
                'merchant_id',
                comparable_pairs.document_merchant_id::text,
                comparable_pairs.mirror_merchant_id::text
            ),
            (
                'transaction_status',
                comparable_pairs.document_status,
                comparable_pairs.mirror_status
            ),
            (
                'transaction_amount',
                comparable_pairs.document_amount::text,
                comparable_pairs.mirror_amount::text
            ),
            (
                'transaction_time',
                comparable_pairs.document_time::text,
                comparable_pairs.mirror_time::text
            )
        ) as compared (column_name, document_value, mirror_value)
    where
        coalesce(compared.document_value, '') <> coalesce(compared.mirror_value, '')
        and (
            compared.column_name = 'transaction_id'
            or (comparable_pairs.is_in_documents and comparable_pairs.is_in_mirror)
        )

)

select * from differences
