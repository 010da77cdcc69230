{% test rows_satisfy(model, rules) %}
{%- set tested_rules = [] %}
{%- for rule in rules %}
    {%- do tested_rules.append("('" ~ rule | replace("'", "''") ~ "', (" ~ rule ~ "))") %}
{%- endfor %}

select
    broken.rule,
    tested.*
from (select * from {{ model }}) as tested
cross join lateral (values {{ tested_rules | join(', ') }}) as broken (rule, is_satisfied)
where not broken.is_satisfied

{% endtest %}
