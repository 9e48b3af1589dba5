"""python -m distilbert "text" ...: classifies texts, or the lines of standard input."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator

from . import Error, TextClassifier, __version__


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m distilbert",
        description="Classifies texts; without one, the lines of standard input.",
    )
    parser.add_argument("texts", metavar="TEXT", nargs="*", help="a text to classify")
    parser.add_argument(
        "--model", metavar="DIRECTORY", help="a sequence classifier; by default the sentiment model of this package"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, with all scores")
    parser.add_argument("--version", action="version", version=f"distilbert-cpp {__version__}")
    arguments = parser.parse_args()
    if not arguments.texts and sys.stdin.isatty():
        parser.error("a text is missing (or some lines on standard input)")
    return arguments


def _lines() -> Iterator[str]:
    sys.stdin.reconfigure(errors="surrogateescape")  # as in arguments: what is not UTF-8 is the library's to refuse
    for line in sys.stdin:
        yield line.rstrip("\n")


def _classify(classifier: TextClassifier, texts: Iterable[str], as_json: bool) -> None:
    for text in texts:
        answer = classifier(text)
        if as_json:
            scores = dict(zip(classifier.labels, answer.scores.tolist()))
            row = {"label": answer.label, "score": answer.score, "scores": scores, "truncated": answer.truncated}
            print(json.dumps({"text": text, **row}), flush=True)
        else:
            print(f"{answer.label}\t{answer.score:.3f}\t{text}", flush=True)


def main() -> int:
    arguments = _arguments()
    try:
        model = arguments.model
        classifier = TextClassifier.from_pretrained(model) if model else TextClassifier.default()
        _classify(classifier, arguments.texts or _lines(), arguments.json)
    except Error as error:
        print(f"distilbert: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:  # of standard output; Python writes to it once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 141
        print(f"distilbert: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
