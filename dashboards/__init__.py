"""Dashboards, alerts and their queries as code, over the catalogue of metrics."""
