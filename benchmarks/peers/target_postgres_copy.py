"""Meltano's target-postgres by COPY, fed with Singer messages in process."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from peer import COLUMNS, KEY, METRICS, NAME, SCHEMA, Load, flat, main
from singer_sdk.contrib.msgspec import MsgSpecReader
from sqlalchemy import make_url
from target_postgres.target import TargetPostgres

TEXT = {"type": "string"}
DAY = {"type": "string", "format": "date"}
NUMBER = {"type": ["integer", "null"]}
SCHEMA_MESSAGE = {
    "type": "SCHEMA",
    "stream": NAME,
    "key_properties": KEY,
    "schema": {
        "properties": {
            "appid": TEXT,
            "msgid": TEXT,
            "stat_date": DAY,
            "publication_date": DAY,
            **dict.fromkeys(METRICS, NUMBER),
        }
    },
}


def messages(rows: Iterable[tuple[Any, ...]]) -> Iterator[bytes]:
    """The rows as a tap would write them: a schema, then a record each."""
    yield msgspec.json.encode(SCHEMA_MESSAGE)
    for row in rows:
        record = dict(zip(COLUMNS, row, strict=True))
        yield msgspec.json.encode({"type": "RECORD", "stream": NAME, "record": record})


def prepare(answers: Path, url: str) -> Load:
    """Configure the target; it connects with the first message."""
    address = make_url(url)
    TargetPostgres.message_reader_class = MsgSpecReader  # the faster of the SDK's two
    target = TargetPostgres(
        config={
            "host": address.host,
            "port": address.port,
            "user": address.username,
            "password": address.password,
            "database": address.database,
            "default_target_schema": SCHEMA,
            "use_copy": True,
            "batch_size_rows": 100_000,
            "validate_records": False,
            "add_record_metadata": False,
            "activate_version": False,
        },
    )

    def load() -> int:
        rows = list(flat(answers))
        target.listen(messages(rows))
        return len(rows)

    return load


if __name__ == "__main__":
    main(prepare)
