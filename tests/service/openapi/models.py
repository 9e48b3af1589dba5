"""A model for each task of the server, named so that the examples of the description reach it."""

import json
import os
import sys
from pathlib import Path

SOURCE = Path(os.environ["DISTILBERT_SOURCE_DIR"])
TASKS = ["classifier", "reranker", "embedder"]

sys.path.insert(0, str(SOURCE / "tests/examples"))
import tiny_model


def model_of(task, directory):
    """The model's directory; those that the project does not have are written into the given one, small and random."""
    if task == "classifier":
        return SOURCE / "models/sst2"
    tiny_model.VOCABULARY = (SOURCE / "models/sst2/vocab.txt").read_text("utf-8").splitlines()
    model = tiny_model.write_model(Path(directory, "sst2"), labels=["LABEL_0"])
    if task == "embedder":
        config = json.loads((model / "config.json").read_text())
        config["architectures"] = ["DistilBertModel"]
        (model / "config.json").write_text(json.dumps(config))
    return model
