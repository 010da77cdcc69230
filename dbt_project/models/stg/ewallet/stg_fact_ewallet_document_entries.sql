{{ elements_of(ref('stg_checked_ewallet_transaction_documents'), 'entries') }}
