-- What accounts gained is worked out account by account. In each, a row finds that of the day
-- before in a hash, and days are added up in one, instead of being sorted first. fact/pin_plan.sql
-- takes both back.
SELECT
    set_config('enable_hashjoin', 'on', TRUE),
    set_config('enable_sort', 'off', TRUE)
