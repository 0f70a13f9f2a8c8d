-- The load looks each staged row up by the fact's key: its cost does not grow with the fact.
-- Otherwise the planner hashes the whole of a large fact. JIT compilation does not pay off either.
SELECT
    set_config('enable_hashjoin', 'off', TRUE),
    set_config('enable_mergejoin', 'off', TRUE),
    set_config('jit', 'off', TRUE)
