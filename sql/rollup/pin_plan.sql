-- What accounts gained is worked out account by account: in each, the rows of the day before are
-- hashed, and so are the days. fact/pin_plan.sql takes it back.
SELECT
    set_config('enable_hashjoin', 'on', TRUE),
    set_config('enable_sort', 'off', TRUE)
