-- The load looks each staged row up by the fact's key: its cost does not grow with the fact.
-- Left to itself the planner hashes a large fact whole. Compiling the plan does not pay either.
SELECT
    set_config('enable_hashjoin', 'off', TRUE),
    set_config('enable_mergejoin', 'off', TRUE),
    set_config('jit', 'off', TRUE)
