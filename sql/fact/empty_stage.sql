-- Empty the staging table before the transaction stages further answers.
TRUNCATE staged_{{ fact }}
