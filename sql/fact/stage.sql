-- Create the staging table that COPY fills, unless the transaction has it already. It ends with the
-- transaction: behind a pooler the next one may be of another release, with other columns. Its
-- statistics are never collected, because the load's plan must not depend on them.
CREATE TEMPORARY TABLE IF NOT EXISTS staged_{{ fact }} ON COMMIT DROP AS
SELECT
    {{ columns | join(",\n    ") }}
FROM weixin.{{ fact }}
WITH NO DATA
