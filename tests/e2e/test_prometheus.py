#!/usr/bin/env python3
"""The real Prometheus scrapes a worker: run by tests/servers/run.py, which starts it."""

import json
import os
import re
import time
import urllib.parse
import urllib.request

from harness import main
from otlp_receiver import Receiver
from test_metrics import SECONDS_MAX, STORE, MetricsCase

URL = os.environ.get("ARVO_PROMETHEUS_URL")
TARGETS = os.environ.get("ARVO_PROMETHEUS_TARGETS")


class PrometheusCase(MetricsCase):
    def setUp(self):
        if URL is None:
            self.skipTest("run by tests/servers/run.py prometheus -- ...")
        super().setUp()

    def ask(self, what, **parameters):
        url = f"{URL}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=SECONDS_MAX) as answer:
            found = json.load(answer)
        self.assertEqual(found["status"], "success")
        return found["data"]

    def value(self, query):
        """Of one series; None: there is none."""
        result = self.ask("query", query=query)["result"]
        self.assertLessEqual(len(result), 1, query)
        return float(result[0]["value"][1]) if result else None

    def until_scraped(self, query, value):
        end = time.monotonic() + SECONDS_MAX
        while (found := self.value(query)) != value:
            if time.monotonic() > end:
                self.fail(f"{query} is {found}, not {value}; {self.ask('targets')}")
            time.sleep(0.1)

    def scrape(self):
        with open(TARGETS + ".new", "w", encoding="utf-8") as file:
            json.dump([{"targets": [self.host]}], file)
        os.chmod(TARGETS + ".new", 0o644)
        os.rename(TARGETS + ".new", TARGETS)


class Prometheus(PrometheusCase):
    def test_it_is_scraped(self):
        self.ok("event", "send", self.start(self.GOAL), "--store", STORE)
        with Receiver() as receiver:
            self.work(env={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_METRICS_EXPORTER": "none"})
            self.scrape()
            self.until_scraped('arvo_events_in_total{handler="arvo.orc.counter"}', self.GOAL + 1)
            self.until_scraped('arvo_instances{status="done"}', 1)
            self.assertEqual(self.value('up{job="arvo"}'), 1)
            self.assertEqual(self.value("arvo_store_up"), 1)
            self.assertEqual(self.value("arvo_outbox_depth"), 0)
            # Histograms are such for it, and metadata is what was written.
            quantile = self.value('histogram_quantile(0.5, sum by (le) (arvo_execute_seconds_bucket))')
            self.assertTrue(0 < quantile < SECONDS_MAX, quantile)
            self.assertEqual(self.value("sum(arvo_execute_seconds_count)"), self.GOAL + 1)
            metadata = self.ask("metadata")
            types = {"arvo_execute_seconds": "histogram", "arvo_outbox_depth": "gauge", "arvo_export_queued": "gauge"}
            self.assertEqual({name: metadata[name][0]["type"] for name in types}, types)
            # An exemplar names a span that was exported.
            end = time.monotonic() + SECONDS_MAX
            while not (found := self.ask("query_exemplars", query="arvo_execute_seconds_bucket", start=time.time() - 300, end=time.time() + 300)):
                self.assertLess(time.monotonic(), end, "no exemplar")
                time.sleep(0.1)
            labels = found[0]["exemplars"][0]["labels"]
            self.assertRegex(labels["trace_id"], re.compile("^[0-9a-f]{32}$"))
            while labels["span_id"] not in {span["spanId"] for span in receiver.spans()}:
                self.assertLess(time.monotonic(), end, "the exemplar's span was not exported")
                time.sleep(0.1)


if __name__ == "__main__":
    main()
