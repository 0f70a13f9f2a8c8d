-- The pairs a run is going to ask for: one row each. One that an earlier try planned stays.
INSERT INTO weixin.run_report (run_id, dataset, appid, publication_date, state)
SELECT
    :run_id,
    :dataset,
    appid,
    publication_date,
    'planned'
FROM unnest(
        cast(:appids AS text[]),
        cast(:publication_dates AS date[])
    ) AS planned (appid, publication_date)
ON CONFLICT (run_id, dataset, appid, publication_date) DO NOTHING
