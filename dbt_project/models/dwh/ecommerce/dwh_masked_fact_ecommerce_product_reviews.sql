{{ masked(ref('dwh_fact_ecommerce_product_reviews')) }}
