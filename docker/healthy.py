"""The containers' health check: exit code 0 if Airflow reports the named component healthy."""

import json
import sys
import urllib.request

HEALTH = "http://api-server:8080/api/v2/monitor/health"

part = sys.argv[1]
with urllib.request.urlopen(HEALTH, timeout=10) as answer:
    state = json.load(answer)[part]
sys.exit(f"{part}: {state}" if state["status"] != "healthy" else 0)
