#!/usr/bin/env python3
"""Every query of the dashboard and of the alerts, asked of the real Prometheus about a real worker: run by
tests/servers/run.py, which starts Prometheus."""

import json
import time

from harness import main
from test_metrics import SECONDS_MAX, STORE
from test_monitoring import alerts, queries
from test_prometheus import PrometheusCase


class Dashboard(PrometheusCase):
    def send_all_kinds(self):
        """Events that succeed, one that comes twice, one that breaks its contract, one for nobody in time."""
        fine = self.start(2)
        with open(fine, encoding="utf-8") as file:
            wrong = json.load(file)
        wrong.update(id="wrong", data={"goal": "many"})
        self.ok("event", "send", fine, self.write("wrong.json", wrong), "--store", STORE)

    def test_every_panel_has_an_answer(self):
        self.ok("event", "send", self.start(1), "--store", STORE)
        self.work(env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "100"})
        self.scrape()
        unanswered = list(queries())
        self.assertGreater(len(unanswered), 20)
        end = time.monotonic() + SECONDS_MAX
        while unanswered and time.monotonic() < end:
            self.send_all_kinds()
            time.sleep(0.5)
            unanswered = [(panel, query) for panel, query in unanswered if not self.ask("query", query=query)["result"]]
        self.assertEqual(unanswered, [])

    def test_every_alert_is_a_question_it_understands(self):
        for name, expression in alerts():
            with self.subTest(alert=name):
                self.assertEqual(self.ask("query", query=" ".join(expression.split()))["resultType"], "vector")


if __name__ == "__main__":
    main()
