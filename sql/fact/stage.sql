-- One row per (msgid, stat_date) of the answers being loaded: where COPY puts them.
-- Never analysed: the load's plan must not depend on it.
CREATE TEMPORARY TABLE staged_row ON COMMIT DROP AS
SELECT
    msgid,
    raw_response_id,
    stat_date,
    {% for metric in metrics %}
    {{ metric }},
    {% endfor %}
    extra
FROM weixin.{{ fact }}
WITH NO DATA
