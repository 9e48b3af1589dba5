"""Labels a column of texts on Apache Spark: spark-submit score.py INPUT OUTPUT

What a run does, in order:

  1. The input's files, sorted by name, are cut into chunks, and OUTPUT/_plan.json says what is to be done.
  2. Each chunk is scored into OUTPUT/_chunks/NNNNN, which Spark completes with a file _SUCCESS.
  3. When there is no chunk without it, their files move into OUTPUT, and OUTPUT/_SUCCESS is written.

The same command again, whatever ended the run, does what is still to be done: a chunk without _SUCCESS is scored anew,
and a file that has moved is not moved again. Names with an underscore are hidden from whoever reads OUTPUT.
"""

import argparse
import atexit
import hashlib
import json
import re
import shutil
import sys
import tempfile
import time
import uuid
from pathlib import Path
from urllib.parse import unquote

import distilbert
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql.types import FloatType, MapType, StringType, StructType

import scorer

FORMATS = {"parquet": {}, "orc": {}, "json": {}, "csv": {"header": "true"}, "text": {}}
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


def size(text):
    """A number of bytes, with k, m or g for the powers of 1024."""
    match = re.fullmatch(r"([1-9][0-9]{0,11})([kmg]?)", text.lower())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; 512k, 64m and 2g are")
    return int(match[1]) * 1024 ** " kmg".index(match[2] or " ")


def setting(text):
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def positive(text):
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="score.py", description="Labels a column of texts: INPUT's columns, label and score as Parquet in OUTPUT.",
        epilog="A run that was interrupted is finished by the same command. Threads for each task: spark.task.cpus.")
    parser.add_argument("input", metavar="INPUT", help="a file, a folder or a pattern, wherever Spark can read")
    parser.add_argument("output", metavar="OUTPUT", help="a folder, new or of an interrupted run")
    parser.add_argument("--format", choices=FORMATS, default="parquet", help="of the input (default: %(default)s)")
    parser.add_argument("--option", metavar="NAME=VALUE", type=setting, action="append", default=[],
                        help="an option of Spark's reader, such as sep=; for csv (whose header is true by default)")
    parser.add_argument("--column", help="the texts (default: text; value if the format is text)")
    parser.add_argument("--model", help=f"a folder of this machine, or an archive ({', '.join(ARCHIVES)}) wherever "
                        "Spark can read (default: the model in the Python package)")
    parser.add_argument("--max-length", type=positive, help="tokens of a text that count (default: the model's)")
    parser.add_argument("--scores", action="store_true", help="also a column scores: a map from label to score")
    parser.add_argument("--prefix", default="", help="of the names of the new columns")
    parser.add_argument("--invalid-utf8", choices=["replace", "null", "refuse"], default="replace",
                        help="texts that are not UTF-8: read with U+FFFD, treated as null, or the end of the run "
                        "(default: %(default)s)")
    parser.add_argument("--chunk-size", type=size, default="64m",
                        help="how much input at most is scored anew after an interruption; a file is never cut "
                        "(default: %(default)s)")
    parser.add_argument("--partitions", type=positive,
                        help="tasks, and so files, of a chunk (default: two for each task that can run at a time)")
    parser.add_argument("--overwrite", action="store_true", help="delete OUTPUT first")
    chosen = parser.parse_args(arguments)
    chosen.column = chosen.column or ("value" if chosen.format == "text" else "text")
    chosen.option = {**FORMATS[chosen.format], **dict(chosen.option)}
    return chosen


def stop(message):
    raise SystemExit(f"score.py: {message}")


class Storage:
    """The file systems that Spark knows, by Hadoop's interface. Paths are strings, as Spark takes and gives them."""

    def __init__(self, spark):
        self._jvm, self._configuration = spark._jvm, spark._jsc.hadoopConfiguration()

    def _at(self, path):
        path = self._jvm.org.apache.hadoop.fs.Path(path)
        return path.getFileSystem(self._configuration), path

    def exists(self, path):
        system, path = self._at(path)
        return system.exists(path)

    def is_folder(self, path):
        system, path = self._at(path)
        return system.exists(path) and system.getFileStatus(path).isDirectory()

    def holds(self, folder, path):
        """Whether the path is that of the folder or of something in it, relative or not."""
        folder, path = (str(system.makeQualified(path)) for system, path in map(self._at, (folder, path)))
        return f"{path}/".startswith(folder.rstrip("/") + "/")

    def names(self, folder):
        system, path = self._at(folder)
        return sorted(status.getPath().getName() for status in system.listStatus(path))

    def length_and_time(self, path):
        system, path = self._at(path)
        status = system.getFileStatus(path)
        return [status.getLen(), status.getModificationTime()]

    def read(self, path):
        system, path = self._at(path)
        stream = system.open(path)
        try:
            return self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
        finally:
            stream.close()

    def write(self, path, text):
        """The file appears whole or not at all."""
        system, unfinished = self._at(path + ".tmp")
        stream = system.create(unfinished, True)
        stream.write(text.encode())
        stream.close()
        self.move(path + ".tmp", path)

    def move(self, source, target):
        """A target that is there already is replaced: object stores copy first and delete then."""
        self.delete(target)
        system, path = self._at(source)
        if not system.rename(path, self._at(target)[1]):
            raise OSError(f"{source} cannot be moved to {target}")

    def delete(self, path):
        system, path = self._at(path)
        system.delete(path, True)


class Input:
    """The rows to score: their schema, their files, and some of these files as a DataFrame."""

    def __init__(self, spark, storage, chosen):
        self._spark, self._chosen = spark, chosen
        self._base = {"basePath": chosen.input} if storage.is_folder(chosen.input) else {}
        rows = self._reader().load(chosen.input)
        self.schema = rows.schema
        paths = sorted(unquote(path) for path in rows.inputFiles())
        self.files = [[path, *storage.length_and_time(path)] for path in paths]

    def _reader(self):
        return self._spark.read.format(self._chosen.format).options(**self._base, **self._chosen.option)

    def rows(self, files):
        literal = [re.sub(r"([\\*?{}\[\]])", r"\\\1", path) for path, *_ in files]  # not patterns
        return self._reader().schema(self.schema).load(literal)


def output_schema(schema, chosen):
    """The input's columns and the new ones; ends the program where that cannot be."""
    kinds = {field.name: field.dataType for field in schema}
    if chosen.column not in kinds:
        stop(f"{chosen.input} has no column {chosen.column}; it has {', '.join(kinds)} (--column)")
    if not isinstance(kinds[chosen.column], StringType):
        stop(f"the column {chosen.column} is {kinds[chosen.column].simpleString()}; texts are string (--column)")
    added = {"label": StringType(), "score": FloatType()}
    if chosen.scores:
        added["scores"] = MapType(StringType(), FloatType())
    result = StructType(list(schema))
    for name, kind in added.items():
        name = chosen.prefix + name
        if name.lower() in {other.lower() for other in kinds}:
            stop(f"{chosen.input} has a column {name} already: give the new columns another name by --prefix")
        result = result.add(name, kind)
    return result


def send(context, model):
    """Sends the model to the executors, present and future; returns the name by which scorer.load() knows it."""
    name = f"model-{uuid.uuid4().hex}"
    if Path(model).is_dir():
        folder, model = tempfile.mkdtemp(), Path(model).resolve()
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        model = shutil.make_archive(f"{folder}/model", "tar", model.parent, model.name)  # Spark refuses entries like ./
    elif not model.endswith(ARCHIVES) or not ("://" in model or Path(model).is_file()):
        stop(f"{model} is neither a folder nor an archive ({', '.join(ARCHIVES)})")
    context.addArchive(f"{model if '://' in model else Path(model).resolve().as_uri()}#{name}")
    return name


def digest(folder):
    """Of all files of a model, so that no run is finished with another one."""
    result = hashlib.sha256()
    for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
        result.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode())
        result.update(path.read_bytes())
    return result.hexdigest()


def chunks_of(files, most):
    """Neighbours among the files, of `most` bytes together or a single one."""
    chunk, total = [], 0
    for file in files:
        if chunk and total + file[1] > most:
            yield chunk
            chunk, total = [], 0
        chunk.append(file)
        total += file[1]
    if chunk:
        yield chunk


def begin(storage, output, plan, overwrite):
    """Makes sure that OUTPUT holds this plan and no other."""
    if overwrite:
        for file, *_ in plan["input"]:
            if storage.holds(output, file):
                stop(f"{file} is to be scored, and would be deleted with {output}: choose another folder")
        storage.delete(output)
    path = f"{output}/_plan.json"
    if storage.exists(path):
        begun = json.loads(storage.read(path))
        other = [name for name in plan if begun.get(name) != plan[name]]
        if other:
            stop(f"{output} was begun with another {' and another '.join(other)}: finish it as it was begun, "
                 "or delete it first (--overwrite)")
    elif storage.exists(output) and storage.names(output) not in ([], ["_plan.json.tmp"]):
        stop(f"{output} holds something else already: choose another folder, or delete it first (--overwrite)")
    else:
        storage.write(path, json.dumps(plan, indent=1))


def publish(storage, output, chunks):
    """Moves what the chunks hold into OUTPUT; the names are unique, for Spark makes them so."""
    for chunk in chunks:
        for name in storage.names(chunk):
            if name.startswith("part-"):
                storage.move(f"{chunk}/{name}", f"{output}/{name}")
    storage.write(f"{output}/_SUCCESS", "")


def score(spark, chosen):
    context, storage = spark.sparkContext, Storage(spark)
    context.addPyFile(scorer.__file__)
    rows = Input(spark, storage, chosen)
    schema = output_schema(rows.schema, chosen)
    threads = int(context.getConf().get("spark.task.cpus", "1"))
    partitions = chosen.partitions or max(2 * context.defaultParallelism // threads, 1)
    output = chosen.output.rstrip("/")

    archive = send(context, chosen.model) if chosen.model else None
    how = scorer.Scorer(chosen.column, chosen.prefix, chosen.scores, chosen.invalid_utf8, archive, chosen.max_length,
                        threads)
    how.load()  # what is wrong with the model shows here, not in the first task
    model = digest(scorer.model_directory(archive)) if archive else f"default of {distilbert.__version__}"
    begin(storage, output, {
        "format": chosen.format, "option": chosen.option, "column": chosen.column, "model": model,
        "max_length": chosen.max_length, "scores": chosen.scores, "prefix": chosen.prefix,
        "invalid_utf8": chosen.invalid_utf8, "chunk_size": chosen.chunk_size, "input": rows.files,
    }, chosen.overwrite)

    if storage.exists(f"{output}/_SUCCESS"):
        print(f"{output} is complete already", flush=True)
    else:
        chunks = list(chunks_of(rows.files, chosen.chunk_size))
        folders = [f"{output}/_chunks/{number:05}" for number in range(len(chunks))]
        for number, (files, folder) in enumerate(zip(chunks, folders), 1):
            title = f"chunk {number} of {len(chunks)}, files: {len(files)}"
            if storage.exists(f"{folder}/_SUCCESS"):
                print(f"{title}, scored before", flush=True)
                continue
            start = time.monotonic()
            answers = rows.rows(files).repartition(partitions).mapInArrow(how.score, schema)
            answers.write.mode("overwrite").parquet(folder)
            print(f"{title}, {time.monotonic() - start:.1f} s", flush=True)
        publish(storage, output, folders)
    storage.delete(f"{output}/_chunks")


def run(spark, chosen):
    """score(), and one sentence instead of a traceback for what the user can mend."""
    try:
        score(spark, chosen)
    except (AnalysisException, distilbert.Error, FileNotFoundError) as error:
        stop(error)


def main(arguments):
    chosen = parse(arguments)
    with SparkSession.builder.appName("distilbert score.py").getOrCreate() as spark:
        run(spark, chosen)


if __name__ == "__main__":
    main(sys.argv[1:])
