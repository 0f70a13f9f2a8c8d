"""
How the load compares with other loaders: the same answers, the same server, in turns.

    python benchmarks/compare.py [--only ours dlt_merge …] [--shape morning] [--postgres a/folder]

Each peer is a short program in `peers/`, written as its own documentation advises, and runs in
`.venv-peers`. `make bench-peers` installs that and runs this.
"""

from importlib.metadata import distributions
from pathlib import Path

from contest import LIMIT, OURS, Contender, arguments, hold

ENVIRONMENT = Path(__file__).parents[1] / ".venv-peers"
PEERS = {
    "dlt_arrow": "dlt",
    "dlt_merge": "dlt",
    "insert_rows": "apache-airflow-providers-postgres",
    "pandas_staging": "pandas",
    "sqlalchemy_upsert": "sqlalchemy",
    "target_postgres_copy": "meltanolabs-target-postgres",
}
"""The programs, each with the distribution it shows."""


def main() -> None:
    """Hold the contest."""
    names = [LIMIT.name, OURS.name, *PEERS]
    parser = arguments("Compare the load with other loaders.")
    parser.set_defaults(shape=["morning"])
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    options = parser.parse_args()
    own = {LIMIT.name: LIMIT, OURS.name: OURS}
    hold(
        [own.get(name) or peer(name) for name in names if name in options.only],
        [(shape, 0) for shape in options.shape],
        rounds=options.rounds,
        postgres=options.postgres,
    )


def peer(name: str) -> Contender:
    """A program of `peers/`, named with its version."""
    installed = [str(path) for path in ENVIRONMENT.glob("lib/python*/site-packages")]
    (found,) = distributions(name=PEERS[name], path=installed)
    program = Path(__file__).parent / "peers" / f"{name}.py"
    title = f"{name} ({found.name} {found.version})"
    return Contender(title, (ENVIRONMENT / "bin/python", program))


if __name__ == "__main__":
    main()
