"""Stanford Sentiment Treebank (Socher et al. 2013): every labelled phrase, or whole sentences only.

The trees are read from a folder that holds train.txt, dev.txt and test.txt; `fetch` downloads them
from their authors for users who have no such folder. Nothing of the data is part of the repository.
"""

import io
import pathlib
import re
import urllib.request
import zipfile

URL = "https://nlp.stanford.edu/sentiment/trainDevTestTrees_PTB.zip"
TOKEN = re.compile(r"\(|\)|[^\s()]+")


def fetch(folder):
    """Downloads the trees into `folder` unless they are there; returns the folder."""
    folder = pathlib.Path(folder)
    missing = [s for s in ("train", "dev", "test") if not (folder / f"{s}.txt").is_file()]
    if missing:
        print(f"downloading {URL}")
        with urllib.request.urlopen(URL, timeout=60) as reply:
            archive = zipfile.ZipFile(io.BytesIO(reply.read()))
        folder.mkdir(parents=True, exist_ok=True)
        for split in missing:
            (folder / f"{split}.txt").write_bytes(archive.read(f"trees/{split}.txt"))
    return folder


def subtrees(line):
    """All (grade 0..4, phrase) of one tree in bracket notation; the whole sentence comes last."""
    open_nodes, found = [], []
    tokens = iter(TOKEN.findall(line))
    for token in tokens:
        if token == "(":
            open_nodes.append((int(next(tokens)), []))
        elif token == ")":
            grade, words = open_nodes.pop()
            found.append((grade, " ".join(words)))
            if open_nodes:
                open_nodes[-1][1].extend(words)
        else:
            open_nodes[-1][1].append(token)
    return found


def untreebank(text):
    """Undoes the Treebank's escapes of brackets and slashes."""
    return text.replace("-LRB-", "(").replace("-RRB-", ")").replace("\\/", "/")


def as_written(text):
    """The text with contractions as people write them: BERT splits "don't" and "do n't" differently."""
    return text.replace(" n't", "n't").replace("``", '"').replace("''", '"')


def read(folder, split, phrases):
    """[(text, grade)] of a split: whole sentences, or with `phrases` every distinct phrase once."""
    rows = {}
    for line in open(pathlib.Path(folder) / f"{split}.txt", encoding="utf-8"):
        nodes = subtrees(line)
        for position, (grade, text) in enumerate(nodes if phrases else nodes[-1:]):
            rows[text if phrases else (len(rows), position)] = (untreebank(text), grade)
    return list(rows.values())
