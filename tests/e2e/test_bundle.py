#!/usr/bin/env python3
"""arvo support-bundle: it helps, and it tells nobody's data."""

import io
import json
import os
import stat
import tarfile

from harness import CounterCase, main

URL = "sqlite:counts.db"
FILES = ["README.txt", "machine.json", "settings.json", "doctor.json", "stats.json", "instances.json", "errors.json", "dead.json"]


class Bundle(CounterCase):
    def bundle(self, *options, store=URL, code=0, env=None):
        result = self.arvo("support-bundle", "--store", store, "-o", "support.tar", *options, env=env)
        self.assertEqual(result.code, code, result)
        self.assertEqual(result.out, "")
        return self.unpacked("support.tar"), result

    def unpacked(self, name):
        with open(self.path(name), "rb") as file:
            return self.contents(file.read())

    def contents(self, data):
        with tarfile.open(fileobj=io.BytesIO(data), format=tarfile.USTAR_FORMAT) as tar:
            members = tar.getmembers()
            self.assertEqual({member.mode for member in members}, {0o600})
            for member in members:
                self.assertTrue(member.name.startswith("arvo-support/"), member.name)
            return {member.name[len("arvo-support/"):]: tar.extractfile(member).read().decode() for member in members}

    def failed(self):
        """A workflow whose start failed over data that is nobody's business."""
        event = self.ok("event", "new", "--app", self.app, "--type", "arvo.orc.counter", "--source", "com.test.user", "--data", '{"goal":1}').json()
        event["data"]["goal"] = "geheim-4711"
        return self.arvo("run", self.app, "--event", self.write("bad.json", event), "--store", URL, "--follow")

    def test_what_is_in_it(self):
        self.ok("run", self.app, "--event", self.start(2), "--store", URL, "--follow", "--json")
        self.failed()
        files, result = self.bundle()
        self.assertEqual(result.err, "")
        self.assertEqual(list(files), FILES)
        self.assertEqual(json.loads(files["machine.json"])["arvo"], self.ok("version").out.split()[1])
        self.assertEqual({check["check"] for check in json.loads(files["doctor.json"])["checks"]} >= {"store", "clock", "outbox", "dead"}, True)
        self.assertEqual(json.loads(files["stats.json"])["done"], 1)
        kinds = json.loads(files["instances.json"])["kinds"]
        self.assertEqual(sorted((kind["orchestrator"], kind["version"], kind["status"], kind["count"]) for kind in kinds), [
            ("arvo.orc.counter", "1.0.0", "done", 1), ("arvo.orc.counter", "1.0.0", "error", 1)])
        (error,) = json.loads(files["errors.json"])
        self.assertEqual((error["errorName"], error["status"]), ("ContractViolation", "error"))
        self.assertEqual(json.loads(files["dead.json"]), [])
        self.assertEqual(stat.S_IMODE(os.stat(self.path("support.tar")).st_mode), 0o600)

    def test_data_only_when_asked_for(self):
        self.failed()
        files, _ = self.bundle()
        self.assertNotIn("geheim-4711", "".join(files.values()))
        self.assertNotIn("subject", json.loads(files["errors.json"])[0])
        self.assertIn("Without data", files["README.txt"])
        files, _ = self.bundle("--with-data")
        self.assertIn("geheim-4711", json.loads(files["errors.json"])[0]["errorMessage"])
        self.assertIn("With data", files["README.txt"])

    def test_no_secret_is_in_it(self):
        self.ok("run", self.app, "--event", self.start(1), "--store", URL)
        env = {
            "PGPASSWORD": "geheim",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=geheim",
            "OTEL_RESOURCE_ATTRIBUTES": "team=a,api_key=geheim",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:geheim@collector:4318",
            "OTEL_SERVICE_NAME": "counters",
            "MY_OWN": "geheim",
        }
        files, _ = self.bundle(env=env)
        self.assertNotIn("geheim", "".join(files.values()))
        settings = json.loads(files["settings.json"])["environment"]
        self.assertEqual(settings["OTEL_SERVICE_NAME"], "counters")
        self.assertEqual(settings["OTEL_EXPORTER_OTLP_ENDPOINT"], "http://me:***@collector:4318")
        self.assertEqual(settings["PGPASSWORD"], "***")
        self.assertNotIn("MY_OWN", settings)
        files, _ = self.bundle(store="redis://me:geheim@127.0.0.1:1/0", code=1)
        self.assertNotIn("geheim", "".join(files.values()))

    def test_of_a_store_that_cannot_be_read(self):
        self.write("broken.db", "no store")
        files, result = self.bundle(store="sqlite:broken.db", code=1)
        self.assertOneLine(result)
        self.assertEqual(list(files), FILES[:4])
        self.assertEqual(json.loads(files["doctor.json"])["checks"][0]["level"], "fail")

    def test_to_standard_output(self):
        self.ok("run", self.app, "--event", self.start(1), "--store", URL)
        self.ok("support-bundle", "--store", URL, "-o", "support.tar")
        result = self.ok("support-bundle", "--store", URL, "-o", "-")
        self.assertEqual(list(self.contents(result.out.encode())), FILES)

    def test_wrong_input(self):
        self.fails(2, "support-bundle", "--store", URL, says="-o FILE")
        self.fails(2, "support-bundle", "-o", "a.tar", says="--store")
        self.ok("run", self.app, "--event", self.start(1), "--store", URL)
        self.fails(2, "support-bundle", "--store", URL, "-o", "no/such/a.tar", says="no/such/a.tar")
        self.fails(2, "support-bundle", URL, "--store", URL, "-o", "a.tar")


if __name__ == "__main__":
    main()
