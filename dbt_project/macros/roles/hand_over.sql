{#- Gives objects to the roles that change them: all that a single account, or a restore, has made. What
    belongs to anybody else is left alone. To change the owner locks the relation, so each change is
    committed. -#}
{% macro hand_over(statements) -%}
    {%- for sql in statements -%}
        {%- call statement(auto_begin=true) -%}
            {{ sql }}
        {%- endcall -%}
        {%- do adapter.commit() -%}
    {%- endfor -%}
{%- endmacro %}
