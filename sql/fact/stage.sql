-- Create the staging table that COPY fills: once per session. Its statistics are never collected,
-- because the load's plan must not depend on them.
CREATE TEMPORARY TABLE IF NOT EXISTS staged_{{ fact }} ON COMMIT DELETE ROWS AS
SELECT
    {{ columns | join(",\n    ") }}
FROM weixin.{{ fact }}
WITH NO DATA
