"""Starts the real distilbert-server for a test, asks it, and ends it."""

import http.client
import json
import os
import re
import resource
import subprocess
import tempfile
import time
from pathlib import Path

# Sanitizers keep much memory for themselves, and what was freed for a while.
SANITIZED = any(part in ("asan", "tsan") for part in Path(os.environ["DISTILBERT_BIN"]).parts)

SOURCE = Path(os.environ["DISTILBERT_SOURCE_DIR"])
PROGRAM = Path(os.environ["DISTILBERT_BIN"], "distilbert-server")
START = 60  # seconds that a sanitizer on a busy machine may take


def allow_open_files(most=8192):
    """Lets this process, and those it starts, have so many descriptors, as far as they may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, hard), hard))


class Reply:
    """Status, header fields (by name in any case; the last of equals) and body of one response."""

    def __init__(self, response, body):
        self.status, self.body = response.status, body
        self.fields = {name.lower(): value for name, value in response.getheaders()}

    @property
    def json(self):
        return json.loads(self.body)


class ServerProcess:
    """A server on a port of 127.0.0.1 that the system chose, for a `with` statement.

    `options` are further arguments of the program, `env` further variables (None removes one). What it writes goes to
    files; `errors` reads the standard error.
    """

    def __init__(self, model=SOURCE / "models/sst2", options=(), env=None):
        self.command = [str(PROGRAM), "--model", str(model), "--host", "127.0.0.1", "--port", "0", *map(str, options)]
        self.environment = {k: v for k, v in {**os.environ, **(env or {})}.items() if v is not None}
        self.process = None

    def __enter__(self):
        self.out, self.err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err,
                                        env=self.environment)
        try:
            self.port = self._wait_for_port()
            self._wait_until_ready()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_):
        status = self.stop()
        assert status == 0, f"ended with {status}: {self.errors}"

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def errors(self):
        self.err.seek(0)
        return self.err.read().decode(errors="replace")

    def stop(self, limit=60):
        """Asks it to end, as Kubernetes does, and returns its status; it is killed after `limit` seconds."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(limit)
        finally:
            self._end()

    def connection(self, timeout=60):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, method, path, body=None, fields=None, timeout=60):
        """One request on a connection of its own. A body that is no string or bytes is sent as JSON; only `fields` say
        what its type is."""
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        connection = self.connection(timeout)
        try:
            connection.request(method, path, body, fields or {})
            response = connection.getresponse()
            return Reply(response, response.read())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body, **more):
        return self.request("POST", path, body, **more)

    def _wait_for_port(self):
        for _ in self._until_deadline("no address"):
            self.out.seek(0)
            found = re.search(rb"http://127\.0\.0\.1:([0-9]+)", self.out.read())
            if found:
                return int(found[1])

    def _wait_until_ready(self):
        for _ in self._until_deadline("not ready"):
            if self.get("/readyz").status == 200:
                return

    def _until_deadline(self, what):
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"ended with {self.process.returncode} at its start: {self.errors}")
            yield
            time.sleep(0.02)
        raise TimeoutError(f"{what} after {START} s: {self.errors}")

    def _end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
