#!/usr/bin/env python3
"""Kill what works on a store, again and again, and compare what comes of it with what must.

    torture.py STORE [--kills N] [--workers N] [--seed N] [--lease MS] [--io-faults LIBRARY] [--keep]

STORE is sqlite, postgres or redis; the latter two are run by tests/servers/run.py, which starts the server:

    tests/servers/run.py postgres -- tests/torture/torture.py postgres --kills 300

Workers (`arvo work`) run journeys (app.yaml) while, at random moments drawn from the seed,

    kill      a worker dies by SIGKILL, and another takes its place
    freeze    a worker stands still (SIGSTOP) for longer than its lease, and goes on as if nothing had happened
    crash     the server dies without a word, and comes back             (postgres, redis)
    cut       connections to it are cut in the middle of a message       (postgres, redis)
    io        writes and syncs of the store's files fail                 (sqlite, with --io-faults)

At the end everything must come to rest: no event lost, none with two effects, no workflow stuck, nothing left in
the outbox, no dead letter, no lease, and a store that `arvo store check` finds nothing wrong with. One line of
counts is printed, and a line per finding; exit code 1 when there is one.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.environ.get("ARVO_SOURCE_ROOT") or os.path.dirname(os.path.dirname(HERE))
ARVO = os.environ.get("ARVO_COMMAND") or os.path.join(ROOT, "build", "arvo")
APP = os.path.join(HERE, "app.yaml")
JOURNEYS_IN_FLIGHT = 40  # more are started while there are fewer
REST_SECONDS = 180  # in which everything must have ended once nobody disturbs
SEND_SECONDS = 60  # in which a start must have got into the store
COMMAND_SECONDS = 120

sys.path.insert(0, HERE)
from journeys import SENDER, Verdict  # noqa: E402
from proxy import Proxy  # noqa: E402


class Failure(Exception):
    """The test itself cannot go on."""


# ---- Stores ----


class Sqlite:
    faults = {"kill": 85, "freeze": 15}

    def __init__(self, folder, seed):
        del seed
        self.path = os.path.join(folder, "torture.db")
        self.url = self.work_url = f"sqlite:{self.path}"

    def close(self):
        pass


class Server:
    """A server that run.py started: control by its socket, and a proxy in front of it that cuts connections."""

    faults = {"kill": 70, "freeze": 10, "crash": 6, "cut": 14}

    def __init__(self, name, url, seed):
        self.name = name
        self.url = url  # the quiet way, for looking at the end
        parts = urllib.parse.urlsplit(url)
        self.proxy = Proxy((parts.hostname, parts.port), seed)
        host = parts.netloc[: parts.netloc.rindex(":")]
        self.work_url = parts._replace(netloc=f"{host}:{self.proxy.port}").geturl()

    def control(self, action):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(90)
            sock.connect(os.environ["ARVO_SERVER_CONTROL"])
            sock.sendall(f"{self.name} {action}\n".encode())
            answer = sock.recv(2000).decode().strip()
        if answer != "ok":
            raise Failure(f"{self.name} {action}: {answer}")

    def crash(self, pause):
        self.control("crash")
        time.sleep(pause)
        self.control("start")

    def close(self):
        self.proxy.close()


def store_of(kind, folder, seed):
    if kind == "sqlite":
        return Sqlite(folder, seed)
    variable = {"postgres": "ARVO_POSTGRES_TCP_URL", "redis": "ARVO_REDIS_URL"}[kind]
    if variable not in os.environ:
        raise Failure(f"{variable} is not set: run this by tests/servers/run.py {kind} -- ...")
    return Server(kind, os.environ[variable], seed)


# ---- The command ----


def arvo(*arguments, stdin=None):
    return subprocess.run(
        [ARVO, *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
    )


def arvo_lines(*arguments):
    done = arvo(*arguments)
    if done.returncode != 0:
        raise Failure(f"arvo {' '.join(arguments)}: exit code {done.returncode}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


# ---- Starting journeys ----


class Feeder:
    """Starts journeys while fewer than enough are on their way. A start that was not acknowledged is sent again."""

    def __init__(self, store, seed):
        self.store = store
        self.dice = random.Random(seed)
        self.started = {}  # subject -> steps
        self.again = 0
        self.error = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def end(self):
        self.stop.set()
        self.thread.join()
        if self.error is not None:
            raise self.error

    def _run(self):
        try:
            while not self.stop.is_set():
                if self._on_their_way() < JOURNEYS_IN_FLIGHT:
                    self._start_one()
                else:
                    self.stop.wait(0.2)
        except Exception as error:  # noqa: BLE001 - handed to the main thread
            self.error = error

    def _on_their_way(self):
        done = arvo("ps", "--store", self.store.url, "--status", "done", "--json", "--orchestrator", "arvo.orc.journey")
        if done.returncode != 0:
            return JOURNEYS_IN_FLIGHT  # the server is down: wait
        return len(self.started) - len(done.stdout.splitlines())

    def _start_one(self):
        steps = self.dice.randrange(1, 9)
        made = arvo(
            "event", "new", "--app", APP, "--type", "arvo.orc.journey", "--source", SENDER,
            "--data", json.dumps({"steps": steps}),
        )
        if made.returncode != 0:
            raise Failure(f"arvo event new: {made.stderr.strip()}")
        until = time.monotonic() + SEND_SECONDS
        while True:
            sent = arvo("event", "send", "-", "--store", self.store.work_url, stdin=made.stdout)
            if sent.returncode == 0:
                break
            if time.monotonic() > until:
                raise Failure(f"arvo event send: {sent.stderr.strip()}")
            self.again += 1
            time.sleep(0.05)
        self.started[json.loads(made.stdout)["subject"]] = steps


# ---- Workers and what befalls them ----


class Workers:
    def __init__(self, store, folder, options):
        self.store, self.folder, self.options = store, folder, options
        self.processes = []
        self.made = 0
        for _ in range(options.workers):
            self.processes.append(self.begin())

    def begin(self, is_disturbed=True):
        self.made += 1
        environment = dict(os.environ)
        if is_disturbed and self.options.io_faults:
            environment["LD_PRELOAD"] = self.options.io_faults
            environment["ARVO_IO_FAULTS_PATH"] = "torture.db"
            environment["ARVO_IO_FAULTS_ONE_IN"] = "200"
            environment["ARVO_IO_FAULTS_SEED"] = str(self.options.seed)
        with open(os.path.join(self.folder, f"worker-{self.made}.log"), "wb") as log:
            return subprocess.Popen(
                [ARVO, "work", APP, "--store", self.store.work_url, "--threads", "4",
                 "--lease-ms", str(self.options.lease), "--claim-ms", str(2 * self.options.lease)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
            )

    def replace(self, at):
        self.processes[at].wait()
        self.processes[at] = self.begin()

    def mend(self):
        """A worker may give up by itself (a store that cannot be opened); a supervisor would start it again."""
        ended = 0
        for at, process in enumerate(self.processes):
            if process.poll() is not None:
                ended += 1
                self.replace(at)
        return ended

    def undisturbed(self):
        """From now on nothing fails: old ones end, new ones finish the work."""
        self.end()
        self.processes = [self.begin(is_disturbed=False) for _ in self.processes]

    def end(self):
        codes = []
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                codes.append(process.wait(30))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                codes.append("did not end")
        return codes


def befall(fault, workers, store, dice, options):
    at = dice.randrange(len(workers.processes))
    process = workers.processes[at]
    if fault == "kill":
        process.kill()
        workers.replace(at)
    elif fault == "freeze":
        process.send_signal(signal.SIGSTOP)
        time.sleep(options.lease / 1000 * dice.uniform(0.8, 2.5))
        process.send_signal(signal.SIGCONT)
    elif fault == "crash":
        store.crash(dice.uniform(0, 1.5))
    elif fault == "cut":
        store.proxy.cut()


def torment(workers, store, feeder, options):
    """Until the kills are done; returns how often each thing befell."""
    dice = random.Random(options.seed)
    count = collections.Counter()
    names, weights = list(store.faults), list(store.faults.values())
    next_line = time.monotonic() + 10
    while count["kill"] < options.kills:
        if feeder.error is not None:
            break
        time.sleep(dice.expovariate(1 / 0.08))
        fault = dice.choices(names, weights)[0]
        befall(fault, workers, store, dice, options)
        count[fault] += 1
        count["ended by themselves"] += workers.mend()
        if time.monotonic() > next_line:
            next_line += 10
            print(f"torture: {count['kill']} of {options.kills} kills, {len(feeder.started)} journeys started", flush=True)
    return count


# ---- The end ----


def at_rest(store):
    stats = arvo("store", "stats", store.url, "--json")
    if stats.returncode != 0:
        return None
    return json.loads(stats.stdout)


def wait_for_rest(store):
    until = time.monotonic() + REST_SECONDS
    while time.monotonic() < until:
        stats = at_rest(store)
        if stats is not None and stats["active"] == 0 and stats["outbox"] == 0:
            return
        time.sleep(0.2)


def look(store, started):
    verdict = Verdict()
    instances = arvo_lines("ps", "--store", store.url, "--json")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        subjects = [row["subject"] for row in instances]
        history = dict(
            zip(subjects, pool.map(lambda s: arvo_lines("history", s, "--store", store.url, "--json"), subjects))
        )
    verdict.check(started, instances, history.__getitem__)
    stats = at_rest(store)
    for name in ("active", "outbox", "dead", "leases"):
        if stats is None or stats[name] not in (0, None):  # null: this store cannot say
            verdict.stuck.append(f"the store: {name}: {stats and stats[name]} at the end")
    checked = arvo("store", "check", store.url)
    if checked.returncode != 0:
        verdict.wrong.append(f"arvo store check: {checked.stdout.strip()} {checked.stderr.strip()}")
    return verdict


def torture(options, folder):
    store = store_of(options.store, folder, options.seed)
    workers = Workers(store, folder, options)
    feeder = Feeder(store, options.seed)
    began = time.monotonic()
    try:
        try:
            count = torment(workers, store, feeder, options)
        finally:
            feeder.end()
        workers.undisturbed()
        wait_for_rest(store)
        codes = workers.end()
        verdict = look(store, feeder.started)
        if any(code not in (0, -signal.SIGTERM) for code in codes):  # the latter: it had hardly begun
            verdict.wrong.append(f"workers that were asked to end ended with {codes}")
    finally:
        for process in workers.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        store.close()
    befell = ", ".join(f"{number} x {name}" for name, number in sorted(count.items()))
    print(f"torture {options.store}, seed {options.seed}: {befell}; {feeder.again} starts sent again; "
          f"{len(feeder.started)} journeys in {time.monotonic() - began:.0f} s")
    print(f"torture {options.store}: {verdict}")
    return verdict.findings()


def arguments():
    parser = argparse.ArgumentParser(description="Kill what works on a store, and compare what comes of it with what must.")
    parser.add_argument("store", choices=("sqlite", "postgres", "redis"))
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--lease", type=int, default=1000, help="milliseconds")
    parser.add_argument("--io-faults", default=None, help="the library made of io_faults.c")
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    return parser.parse_args()


def main():
    options = arguments()
    folder = tempfile.mkdtemp(prefix="arvo-torture-")
    print(f"torture {options.store}: seed {options.seed}, {options.kills} kills, {options.workers} workers", flush=True)
    try:
        findings = torture(options, folder)
    except Failure as error:
        findings = [str(error)]
    for finding in findings[:50]:
        print(f"  {finding}")
    if findings or options.keep:
        print(f"torture: what was used is kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
