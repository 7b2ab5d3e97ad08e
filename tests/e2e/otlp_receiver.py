"""A receiver of OTLP over HTTP that behaves as it is told to, in Python's standard library."""

import gzip
import json
import socket
import struct
import threading
import time


class Request:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body, self.time = path, headers, body, time.monotonic()

    @property
    def content(self):
        return gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body

    def spans(self):
        """Those of a JSON request, each with its resource's attributes and plain attributes."""
        found = []
        for resource_spans in json.loads(self.content)["resourceSpans"]:
            resource = attributes(resource_spans["resource"]["attributes"])
            for scope in resource_spans["scopeSpans"]:
                for span in scope["spans"]:
                    found.append({**span, "resource": resource, "scope": scope["scope"], "plain": attributes(span["attributes"])})
        return found


def attributes(pairs):
    return {pair["key"]: next(iter(pair["value"].values())) for pair in pairs}


def answer(code=200, body=b"{}", headers=()):
    lines = [f"HTTP/1.1 {code} Said", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Receiver:
    """`behave(connection, request, number)` answers the request (None: as a good receiver does); number counts from 0."""

    def __init__(self, behave=None):
        self.behave = behave or (lambda connection, request, number: connection.sendall(answer()))
        self.requests = []
        self.stopped = threading.Event()
        self.server = socket.socket()
        self.server.bind(("127.0.0.1", 0))
        self.server.listen(16)
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped.set()
        # Wakes accept().
        try:
            socket.create_connection(self.server.getsockname(), 1).close()
        except OSError:
            pass
        self.thread.join(10)
        self.server.close()

    def accept(self):
        while not self.stopped.is_set():
            connection, _ = self.server.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def read(self, stream):
        line = stream.readline().decode()
        if not line:
            return None
        headers = {}
        while (header := stream.readline().decode().strip()):
            name, value = header.split(":", 1)
            headers[name.lower()] = value.strip()
        return Request(line.split()[1], headers, stream.read(int(headers.get("content-length", 0))))

    def serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            try:
                while not self.stopped.is_set():
                    request = self.read(stream)
                    if request is None:
                        return
                    self.requests.append(request)
                    self.behave(connection, request, len(self.requests) - 1)
            except (OSError, ValueError, struct.error):
                pass

    def spans(self):
        return [span for request in self.requests if request.path != "/v1/metrics" for span in request.spans()]
