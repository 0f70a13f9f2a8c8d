"""
What is wrong, since when, and who was notified.

    alert.py           one alert: what one action would fix, and how alerts are merged
    account_alerts.py  the alerts of an account, by its days and the findings of tasks
    alerts.py          all alerts, with what Airflow knows
    status.py          reads the warehouse: alerts, the newest morning, runs at work
    incidents.py       which alerts people were notified of, and which are resolved
    notifications.py   the messages to people
    wording.py         the texts in English or Chinese
"""
