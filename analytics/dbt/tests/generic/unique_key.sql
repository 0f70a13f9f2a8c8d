{#- Fails for each key that several rows share, and for each that is not whole. -#}
{% test unique_key(model, columns) %}
SELECT
    {{ columns | join(",\n    ") }},
    count(*) AS row_count
FROM {{ model }}
GROUP BY {{ columns | join(", ") }}
HAVING
    count(*) > 1
    {% for column in columns %}
    OR {{ column }} IS NULL
    {% endfor %}
{% endtest %}
