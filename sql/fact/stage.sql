-- Where COPY puts the rows that answers hold, made once a session. Never analysed: the load's plan
-- must not depend on it.
CREATE TEMPORARY TABLE IF NOT EXISTS staged_{{ fact }} ON COMMIT DELETE ROWS AS
SELECT
    {{ columns | join(",\n    ") }}
FROM weixin.{{ fact }}
WITH NO DATA
