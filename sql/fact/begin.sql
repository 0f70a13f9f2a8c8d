-- Begins a load: holds its accounts' locks, so that no other of theirs begins until the transaction
-- ends. The load looks each staged row up by the key of its table, in the order in which the
-- statements join: its cost does not grow with the tables, whatever their statistics say, or lack.
-- Otherwise the planner hashes the whole of a large fact, or begins with all rows of the dataset.
-- JIT does not pay off either.
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
    set_config('join_collapse_limit', '1', TRUE),
    set_config('jit', 'off', TRUE)
