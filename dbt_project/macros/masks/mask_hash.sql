{#- Equal values have equal hashes in every table. The two keys are read inside the view, by its owner:
    an analyst can neither read them, nor have a value of his own hashed. It is the nested construction
    of HMAC, with a key of its own for each step. -#}
{% macro mask_hash(column) -%}
    encode(sha256(
        (select mask_key.outer_key from mrr_state.mask_key)
        || sha256(
            (select mask_key.inner_key from mrr_state.mask_key)
            || convert_to({{ column }}::text, 'UTF8')
        )
    ), 'hex')
{%- endmacro %}
