"""Any number of different sentences, and what the model says of them."""

import itertools
import json
import os
import pathlib
import subprocess

from server_process import SOURCE

TOLERANCE = 1e-6  # of scores that were printed twice

SUBJECTS = ["the film", "this comedy", "her second novel", "the whole cast", "an early scene", "the soundtrack"]
VERBS = ["is", "was", "feels", "looks", "remains", "seems"]
WORDS = ["dull", "warm", "clever", "endless", "a joy", "hollow", "brave", "tired", "funny", "cold", "honest", "loud"]
LINKS = ["and", "but", "yet never", "because it is", "though at times"]


def sentences():
    """Without end, each once: about 13,000 of plain words, and after that with a number."""
    for round_number in itertools.count():
        end = f", take {round_number}" if round_number else ""
        for subject, verb, first, link, second in itertools.product(SUBJECTS, VERBS, WORDS, LINKS, WORDS[::2]):
            yield f"{subject} {verb} {first} {link} {second}{end}"


def take(count):
    return list(itertools.islice(sentences(), count))


def scores_of(texts):
    """{text: {label: score}} as distilbert-classify gives them for the default model: another way into the same
    library."""
    program = pathlib.Path(os.environ["DISTILBERT_BIN"], "distilbert-classify")
    run = subprocess.run([program, "--model", SOURCE / "models/sst2", "--json", "--top-k", "100", "-"], input="\n".join(texts) + "\n",
                         text=True, capture_output=True, check=True)
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    return {row["text"]: {s["label"]: s["score"] for s in row["scores"]} for row in rows}


def body_of(texts):
    """A request of /bulk-predict."""
    return json.dumps({"text": texts}).encode()


def check_prediction(body, text, scores):
    """That the reply of /bulk-predict is about this text and no other."""
    (prediction,) = json.loads(body)["predictions"]
    found = {row["label"]: row["score"] for row in prediction}
    assert found.keys() == scores[text].keys()
    for label, score in scores[text].items():
        assert abs(found[label] - score) < TOLERANCE, f"{found} for {text!r}, which has {scores[text]}"
