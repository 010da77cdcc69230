{{ checked_documents(
    source('ewallet', 'mrr_fact_ewallet_transaction_documents'),
    rules={
        'transaction id is not a text of 1 to 20 characters':
            'length(typed.transaction_id) not between 1 and 20',
        'status is unknown': "typed.transaction_status not in ('SUCCESS', 'FAILED', 'PENDING')",
        'amount is not finite': "typed.transaction_amount = 'NaN'",
        'amount is negative': 'typed.transaction_amount < 0',
    }
) }}
