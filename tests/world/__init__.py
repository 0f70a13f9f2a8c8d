"""
A simulation of WeChat, of daily runs, and of the people who are notified of problems.

`wechat.py` is the data that WeChat shows. `simulation.py` executes calendars of runs against it in
memory, `pipeline.py` executes them with the real code on Postgres. `expected_tables.py` computes
what the tables must hold, and `promises.py` what must be true after any calendar.
"""
