"""How distilbert-server ends: nobody who was accepted goes without an answer, and it ends with 0, in time.

`--rounds 100` ends it a hundred times under load instead of twenty.
"""

import http.client
import json
import math
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_process import PROGRAM, SOURCE, ServerProcess, allow_open_files

allow_open_files()
ROUNDS = int(os.environ.get("DISTILBERT_TEST_ROUNDS", "20"))
BODY = json.dumps({"text": ["a film that is over before it began"]})
LIMIT = 60  # seconds that a busy machine may take for anything


class Client(threading.Thread):
    """Sends request after request on a connection that it keeps, as a load balancer does; makes a new one where it was
    told to (`Connection: close`) or where an idle one was closed before a byte of an answer."""

    def __init__(self, port, stop):
        super().__init__()
        self.port, self.stop, self.statuses, self.lost = port, stop, [], []
        self.start()

    def run(self):
        connection = None
        while not self.stop.is_set():
            kept = connection is not None
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
                connection.request("POST", "/bulk-predict", BODY)
                response = connection.getresponse()
                json.loads(response.read())
                self.statuses.append(response.status)
                if response.will_close:
                    connection = connection.close()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
                if not kept:
                    self.lost.append(error)
                connection = connection.close()
            except Exception as error:
                self.lost.append(error)
                return


def ended(process):
    return process.wait(LIMIT)


def wait_for_log(server, words):
    deadline = time.monotonic() + LIMIT
    while words not in server.errors:
        assert time.monotonic() < deadline, server.errors
        time.sleep(0.01)


def slow_model(folder):
    """A model of many layers of zeros: they take no room on a disk, but time to load."""
    config = {**json.loads((SOURCE / "models/sst2/config.json").read_text()), "n_layers": 200}
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copy(SOURCE / "models/sst2/vocab.txt", folder)
    dim, hidden = config["dim"], config["hidden_dim"]
    linear = {"pre_classifier": (dim, dim), "classifier": (2, dim)}
    shapes = {"distilbert.embeddings.word_embeddings.weight": [config["vocab_size"], dim],
              "distilbert.embeddings.position_embeddings.weight": [config["max_position_embeddings"], dim]}
    norms = ["distilbert.embeddings.LayerNorm"]
    for layer in (f"distilbert.transformer.layer.{i}." for i in range(config["n_layers"])):
        linear |= {f"{layer}attention.{name}_lin": (dim, dim) for name in ("q", "k", "v", "out")}
        linear |= {layer + "ffn.lin1": (hidden, dim), layer + "ffn.lin2": (dim, hidden)}
        norms += [layer + "sa_layer_norm", layer + "output_layer_norm"]
    for name, (rows, columns) in linear.items():
        shapes |= {name + ".weight": [rows, columns], name + ".bias": [rows]}
    for name in norms:
        shapes |= {name + ".weight": [dim], name + ".bias": [dim]}
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_while_the_model_loads_it_ends_at_once(tmp_path, number):
    command = [PROGRAM, "--model", slow_model(tmp_path), "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert "listening" in process.stderr.readline()
            process.send_signal(number)
            assert (ended(process), process.stderr.read()) == (0, "")
        finally:
            process.kill()


@pytest.mark.parametrize("number", range(ROUNDS))
def test_under_load(number):
    with ServerProcess(options=["--drain-delay", "0.3"]) as server:
        stop = threading.Event()
        clients = [Client(server.port, stop) for _ in range(4)]
        time.sleep(0.01 * number % 0.2)
        server.process.send_signal(signal.SIGTERM if number % 4 else signal.SIGINT)
        time.sleep(0.15)
        stop.set()  # within the delay: nobody sends anything more
        for client in clients:
            client.join()
        assert ended(server.process) == 0
    assert [client.lost for client in clients] == [[]] * 4
    assert {status for client in clients for status in client.statuses} == {200}


def test_it_goes_on_until_the_delay_is_over():
    with ServerProcess(options=["--drain-delay", "5"]) as server:
        kept = server.connection()
        kept.request("GET", "/livez")
        kept.getresponse().read()
        start = time.monotonic()
        server.process.terminate()
        wait_for_log(server, "draining")
        assert server.get("/readyz").status == 503
        for path in ("/livez", "/metrics", "/health"):
            reply = server.get(path)
            assert (reply.status, reply.fields["connection"]) == (200, "close")
        assert server.post("/bulk-predict", BODY).status == 200
        assert kept.sock.recv(1) == b""  # idle ones are closed at once
        assert ended(server.process) == 0
        assert time.monotonic() - start >= 5
        with pytest.raises(ConnectionRefusedError):
            server.get("/livez")


def test_what_has_begun_is_finished():
    with ServerProcess() as server:
        connection = server.connection()
        connection.request("POST", "/bulk-predict", json.dumps({"text": [f"film {i} " * 40 for i in range(8)]}))
        time.sleep(0.05)
        server.process.terminate()
        response = connection.getresponse()
        assert response.status == 200 and len(json.loads(response.read())["predictions"]) == 8
        assert ended(server.process) == 0


@pytest.mark.parametrize("first, second", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT),
                                           (signal.SIGINT, signal.SIGTERM)])
def test_a_second_signal_ends_it_now(first, second):
    with ServerProcess(options=["--drain-delay", "600"]) as server:
        server.process.send_signal(first)
        wait_for_log(server, "draining")
        deadline = time.monotonic() + LIMIT
        while server.process.poll() is None:  # the first may not have been taken for good yet
            server.process.send_signal(second)
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert server.process.returncode == 128 + second
        server.process.returncode = 0  # as the helper expects


def test_signals_that_end_nothing():
    with ServerProcess() as server:
        for number in (signal.SIGHUP, signal.SIGPIPE):
            server.process.send_signal(number)
        assert server.post("/bulk-predict", BODY).status == 200


def test_a_client_that_goes_away_before_its_answer():
    with ServerProcess() as server:
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", server.port)) as raw:
                raw.sendall(f"POST /bulk-predict HTTP/1.1\r\nHost: h\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}".encode())
        assert server.post("/bulk-predict", BODY).status == 200


def test_idle_and_slow_connections():
    """The idle are closed at once, the slow when the limit is over; neither keeps it from ending with 0."""
    with ServerProcess(options=["--grace-limit", "1", "--header-timeout", "600", "--body-timeout", "600"]) as server:
        idle = [socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT) for _ in range(1000)]
        slow = [socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT) for _ in range(100)]
        for i, connection in enumerate(slow):
            connection.sendall([b"GET /livez HT", b"POST /bulk-predict HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{"][i % 2])
        time.sleep(0.5)  # an idle one that has just come is taken to be about to send
        server.process.terminate()
        start = time.monotonic()
        assert [connection.recv(1) for connection in idle] == [b""] * len(idle)
        assert ended(server.process) == 0
        assert time.monotonic() - start < LIMIT / 2
        for connection in idle + slow:
            connection.close()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["--rounds"]:
        os.environ["DISTILBERT_TEST_ROUNDS"] = arguments[1]
        arguments = arguments[2:]
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", "--durations=5", *arguments]))
