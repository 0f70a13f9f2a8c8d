-- Room for other answers of the same transaction.
TRUNCATE staged_{{ fact }}
