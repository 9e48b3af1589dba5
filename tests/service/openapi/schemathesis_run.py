"""Asks the server whatever its OpenAPI document allows, and what it does not: no reply may be a 5xx, or outside of it.

Rounds of Schemathesis, each with a seed of its own, go on until enough requests are made; the models of all tasks take
their turns. Whatever is found is printed with the request that brings it about.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import models
from server_process import ServerProcess

CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
          "response_headers_conformance"]
# The Open Inference Protocol's word for a version that a model does not have is 501, no fault of the server.
CONFIGURATION = """[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "501"]
"""


def one_round(url, folder, seed, phases, per_operation):
    """Returns how many requests it made, and what Schemathesis printed if it found something."""
    report = Path(folder, f"report-{seed}.json")
    result = subprocess.run(
        [Path(sys.executable).with_name("schemathesis"), "run", url + "/openapi.json", "--no-color", "--workers", "2",
         "--checks", ",".join(CHECKS), "--phases", phases, "--max-examples", str(per_operation), "--seed", str(seed),
         "--continue-on-failure", "--warnings", "off", "--suppress-health-check", "all", "--generation-database",
         "none", "--request-timeout", "60", "--report", "json", "--report-json-path", report],
        cwd=folder, capture_output=True, text=True)
    if not report.exists():
        return 0, result.stdout + result.stderr
    generated = json.loads(report.read_text())["test_cases"]["generated"]
    return generated, "" if result.returncode == 0 else result.stdout


def run(task, requests, seed, folder):
    """Asks the model of one task so many times; returns what was found."""
    # Not the phase "coverage": it makes CPython 3.11's ast module fail now and then.
    made, findings, phases = 0, [], "examples,fuzzing"
    Path(folder, "schemathesis.toml").write_text(CONFIGURATION)
    with ServerProcess(models.model_of(task, folder)) as server:
        operations = sum(len(item) for item in server.get("/openapi.json").json["paths"].values())
        while made < requests:
            per_operation = max(20, min(200, (requests - made) // operations))
            generated, found = one_round(server.url, folder, seed, phases, per_operation)
            findings += [found] if found else []
            made += generated
            seed += 1
            phases = "fuzzing" # the examples are always the same
            print(f"{task}: {made} requests", flush=True)
            if generated == 0 or found:
                break
        assert server.get("/readyz").status == 200
    return made, findings


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="at least so many in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--task", choices=models.TASKS, action="append", help="only this; may be given several times")
    arguments = parser.parse_args()
    tasks = arguments.task or models.TASKS
    total, findings = 0, []
    for task in tasks:
        with tempfile.TemporaryDirectory() as folder:
            made, found = run(task, -(-arguments.requests // len(tasks)), arguments.seed, folder)
        total += made
        findings += found
    print(*findings, sep="\n")
    print(f"{total} requests, {'no' if not findings else 'some'} findings")
    return 1 if findings or total < arguments.requests else 0


if __name__ == "__main__":
    sys.exit(main())
