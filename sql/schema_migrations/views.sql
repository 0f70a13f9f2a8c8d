-- Return the views and functions that this project created: one row each. The comment of each
-- object names its file under sql/.
SELECT
    CASE classoid WHEN 'pg_proc'::regclass THEN 'FUNCTION' ELSE 'VIEW' END AS type,
    CASE classoid
        WHEN 'pg_proc'::regclass THEN objoid::regproc::text
        ELSE objoid::regclass::text
    END AS name
FROM pg_description
WHERE objsubid = 0 AND description LIKE '%' || chr(10) || 'file: sql/%'
