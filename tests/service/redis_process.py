"""A real redis-server for a test, which it may kill, freeze and start again."""

import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path


class RedisProcess:
    """A redis-server on a socket in a temporary folder, `path`, for a `with` statement.

    `options` are further arguments of it.
    """

    def __init__(self, *options):
        self.options = options

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="distilbert-redis-")
        self.path = f"{self.folder}/redis.sock"
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        self.process = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", self.path, "--dir", self.folder,
                                         "--save", "", "--appendonly", "no", *self.options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while self.cli("ping").stdout != "PONG\n":
            assert self.process.poll() is None and time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.02)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill_clients(self):
        """Cuts all connections, and returns how many there were."""
        return int(self.ask("client", "kill", "type", "normal", "skipme", "yes"))

    def ask(self, *words):
        """What redis-cli prints; an error of Redis is one here."""
        result = self.cli(*words)
        assert result.returncode == 0 and not result.stdout.startswith("ERR"), result
        return result.stdout.strip()

    def cli(self, *words):
        return subprocess.run(["redis-cli", "-s", self.path, *words], capture_output=True, text=True)
