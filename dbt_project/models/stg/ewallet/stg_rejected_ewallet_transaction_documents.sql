{{ rejected_documents(ref('stg_checked_ewallet_transaction_documents')) }}
