"""Prometheus: a server of its own, on a free loopback port, that scrapes what a test tells it to.

    ARVO_PROMETHEUS_URL       of its HTTP interface
    ARVO_PROMETHEUS_TARGETS   a file that the test writes: [{"targets": ["HOST:PORT"]}], read again when it changes
"""

import json
import os
import signal
import urllib.error
import urllib.request

import server

CONFIG = {
    "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "1s"},
    "scrape_configs": [{"job_name": "arvo", "file_sd_configs": [{"files": ["targets.json"], "refresh_interval": "1s"}]}],
}


class Kind(server.Server):
    name = "prometheus"
    stop_signal = signal.SIGTERM

    @classmethod
    def missing(cls):
        if server.find_program("prometheus") is None:
            return "Prometheus is not installed (Debian: prometheus)"
        return None

    def prepare(self):
        self.port = server.free_port()
        self.targets = self.write("targets.json", "[]")
        # What is JSON is YAML. A setting is one of `global`: prometheus.scrape_interval=1s.
        config = {**CONFIG, "global": {**CONFIG["global"], **self.settings}}
        self.config = self.write("prometheus.yml", json.dumps(config))

    def command(self):
        return [
            server.find_program("prometheus"),
            f"--config.file={self.config}",
            f"--storage.tsdb.path={os.path.join(self.folder, 'data')}",
            f"--web.listen-address={server.HOST}:{self.port}",
            "--enable-feature=exemplar-storage",
            "--log.level=warn",
        ]

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://{server.HOST}:{self.port}/-/ready", timeout=2) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False

    def environment(self):
        return {"ARVO_PROMETHEUS_URL": f"http://{server.HOST}:{self.port}", "ARVO_PROMETHEUS_TARGETS": self.targets}
