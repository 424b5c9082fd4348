"""Grafana dashboards as code: described in Python, written as the JSON that Grafana reads."""
