-- Begins a load: no other of its accounts until the transaction ends; it waits for those that have
-- begun, account by account in one order. Who may only read can't begin one. The load looks each
-- staged row up by the key of its table, in the order in which the statements join: its cost does
-- not grow with the tables, whatever their statistics say, or lack. Otherwise the planner hashes
-- the whole of a large fact, or begins with all rows of the dataset. JIT does not pay off either.
WITH held AS (
    INSERT INTO weixin.writer_lock (lock_name)
    SELECT 'load:' || appid AS lock_name
    FROM unnest(cast(:appids AS text[])) AS wanted (appid)
    ORDER BY lock_name
    ON CONFLICT (lock_name) DO UPDATE SET lock_name = excluded.lock_name
)

SELECT
    set_config('enable_hashjoin', 'off', TRUE),
    set_config('enable_mergejoin', 'off', TRUE),
    set_config('enable_sort', 'on', TRUE),
    set_config('enable_bitmapscan', 'off', TRUE),
    set_config('enable_material', 'off', TRUE),
    set_config('enable_seqscan', 'off', TRUE),
    set_config('join_collapse_limit', '1', TRUE),
    set_config('jit', 'off', TRUE)
