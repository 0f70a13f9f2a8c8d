-- migrate:up

COMMENT ON COLUMN weixin.coverage.is_provisional IS 'Whether what the newest ready answer lists must not be relied on yet: an empty list that came before ready_hour of the day after publication (before noon of that day, while articles were still counted and none had the row of yesterday), or on a day on which no answer listed an article of the account; or, once the window is over, a list that no other day''s answer has confirmed';

-- migrate:down

COMMENT ON COLUMN weixin.coverage.is_provisional IS 'Whether what the newest ready answer lists must not be relied on yet: an empty list that came before ready_hour of the day after publication, or on a day on which no answer listed an article of the account; or, once the window is over, a list that no other day''s answer has confirmed';
