{# Fails for each combination of the columns that several rows have; NULL is a value like others. #}
{% test unique_key(model, columns) %}
SELECT
    {{ columns | join(",\n    ") }},
    count(*) AS row_count
FROM {{ model }}
GROUP BY {{ columns | join(", ") }}
HAVING count(*) > 1
{% endtest %}
