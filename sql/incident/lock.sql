-- Let one transaction at a time judge a dataset's incidents: what is met by two runs at once is
-- opened once. It ends with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('incident:' || :dataset, 0))
