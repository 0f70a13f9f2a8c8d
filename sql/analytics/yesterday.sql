-- Return yesterday in Beijing, the newest day that can have figures. current_date - 1 is another
-- day until 08:00 in a session whose time zone is UTC
-- 中文：北京时间的昨天
CREATE FUNCTION analytics.yesterday(
    -- the instant whose yesterday is meant; by default the present
    at timestamp with time zone DEFAULT now()
)
RETURNS date
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (at AT TIME ZONE 'Asia/Shanghai')::date - 1;
