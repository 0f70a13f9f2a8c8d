#!/usr/bin/env python
"""The containers' health check: exit code 0 if Airflow reports this part of it as healthy."""

import json
import sys
import urllib.request

with urllib.request.urlopen("http://api-server:8080/api/v2/monitor/health", timeout=10) as answer:
    state = json.load(answer)[sys.argv[1]]
sys.exit(None if state["status"] == "healthy" else str(state))
