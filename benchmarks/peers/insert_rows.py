"""Airflow's `PostgresHook.insert_rows(replace=True)`: psycopg's executemany, in pipelines."""

from pathlib import Path

from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import Connection
from contender import COLUMNS, KEY, TABLE, Load, create_table, main
from peer import flat

BATCH = 10_000


def prepare(answers: Path, url: str) -> Load:
    """Create the table through the hook."""
    hook = PostgresHook(connection=Connection.from_uri(url, conn_id="benchmark"))
    hook.run(create_table())

    def load() -> int:
        rows = list(flat(answers))
        hook.insert_rows(  # type: ignore[no-untyped-call] # Airflow's
            TABLE,
            rows,
            target_fields=list(COLUMNS),
            commit_every=BATCH,
            replace=True,
            replace_index=list(KEY),
        )
        return len(rows)

    return load


if __name__ == "__main__":
    main(prepare)
