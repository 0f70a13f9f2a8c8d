{# Another release of weixin-etl may give a view other columns; EXCEPT compares them by place. #}
{% macro fail_on_other_columns(view) %}
{% set columns = adapter.get_columns_in_relation(view) | map(attribute="name") | list %}
{% set known = adapter.get_columns_in_relation(this) | map(attribute="name") | list %}
{% if columns != known %}
{{ exceptions.raise_compiler_error(
    this ~ " has other columns than " ~ view ~ ": build it again by --full-refresh"
) }}
{% endif %}
{% endmacro %}
