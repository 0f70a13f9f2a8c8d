-- Begin a load: lock its accounts, so that a second load of the same account waits for the end of
-- the transaction. Then set the planner to look up each staged row by its primary key, in the
-- written order of joins. The cost of a load then does not grow with the tables. Without statistics
-- the planner would hash a whole fact, or start with all rows of the dataset.
WITH held AS (
    {% include "writer_lock/hold.sql" %}

)

SELECT
    set_config('enable_hashjoin', 'off', TRUE),
    set_config('enable_mergejoin', 'off', TRUE),
    set_config('enable_sort', 'on', TRUE),
    set_config('enable_bitmapscan', 'off', TRUE),
    set_config('enable_material', 'off', TRUE),
    set_config('enable_seqscan', 'off', TRUE),
    set_config('join_collapse_limit', '1', TRUE)
