"""Many texts: any iterable or Arrow stream in, answers as they are ready, in bounded memory.

The methods map() and map_arrow() of the classes in _core; _core.pyi holds their manual.
"""

import contextlib
import itertools
import operator
from typing import Any, Callable, Iterable, Iterator, List, Optional, Tuple

from . import _core


class _NoBar:
    def update(self, texts: int) -> None:
        pass

    def close(self) -> None:
        pass


def progress_bar(show: bool, texts: Any) -> Any:
    """tqdm's bar for so many texts, if that can be known, or something that shows nothing."""
    if not show:
        return _NoBar()
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install 'distilbert-cpp[progress]'") from error
    return tqdm(total=len(texts) if hasattr(texts, "__len__") else None, unit="text")


def map_texts(
    self: Any, texts: Iterable[Any], batch_size: Optional[int] = None, *, progress: bool = False
) -> Iterator[Any]:
    size = checked_batch_size(256 * self.threads if batch_size is None else batch_size)
    texts = [texts] if isinstance(texts, str) else texts
    remaining = iter(texts)

    def answers() -> Iterator[Any]:
        with contextlib.closing(progress_bar(progress, texts)) as bar:
            for first in itertools.count(step=size):
                batch = list(itertools.islice(remaining, size))
                if not batch:
                    return
                yield from self._batch(batch, first)
                bar.update(len(batch))

    return answers()


def embed_texts(
    self: Any, texts: Iterable[Any], batch_size: Optional[int] = None, *, progress: bool = False
) -> Iterator[Any]:
    return map_texts(self, texts, batch_size, progress=progress)


def classify_arrow(
    self: Any,
    data: Any,
    column: str = "text",
    *,
    label: str = "label",
    score: str = "score",
    scores: Optional[str] = None,
    batch_size: int = 4096,
    progress: bool = False,
) -> Any:
    arrow = _arro3()
    labels = arrow.Array(self.labels, arrow.DataType.string())
    fields = [
        arrow.Field(label, arrow.DataType.string()),
        arrow.Field(score, arrow.DataType.float32()),
    ]
    if scores is not None:
        fields.append(_list_field(scores, len(labels)))

    def columns(texts: Any, first: int) -> Tuple[List[Any], Any]:
        answers, rows = self._arrow_scores(texts, first)
        best = arrow.Array.from_numpy(answers.argmax(1).astype("uint32"))
        new = [labels.take(best), arrow.Array.from_numpy(answers.max(1))]
        return (new if scores is None else [*new, _lists(answers)]), rows

    return _with_columns(data, column, fields, columns, batch_size, progress)


def embed_arrow(
    self: Any,
    data: Any,
    column: str = "text",
    *,
    embedding: str = "embedding",
    batch_size: int = 4096,
    progress: bool = False,
) -> Any:
    def columns(texts: Any, first: int) -> Tuple[List[Any], Any]:
        vectors, rows = self._arrow_embeddings(texts, first)
        return [_lists(vectors)], rows

    return _with_columns(data, column, [_list_field(embedding, self.dimensions)], columns, batch_size, progress)


def _with_columns(
    data: Any,
    column: str,
    fields: List[Any],
    columns: Callable[[Any, int], Tuple[List[Any], Any]],
    batch_size: int,
    progress: bool,
) -> Any:
    """The stream of `data` with new columns. columns(texts, number of the first) makes them, one row for each distinct
    text, and says which of these each row of the table holds."""
    arrow = _arro3()
    size = checked_batch_size(batch_size)
    if not hasattr(data, "__arrow_c_stream__") and not hasattr(data, "__arrow_c_array__"):
        raise TypeError(f"Arrow data expected (an object with __arrow_c_stream__), {type(data).__name__} found")
    reader = arrow.ArrayReader.from_arrow(data)
    is_table = arrow.DataType.is_struct(reader.field.type)
    schema = arrow.Schema.from_arrow(reader.field) if is_table else arrow.Schema([reader.field.with_name(column)])
    if schema.names.count(column) != 1:
        raise ValueError(f'{schema.names.count(column)} columns are named "{column}"; the columns are {schema.names}')
    _check_type(schema.field(column))
    for field in fields:
        if field.name in schema.names:
            raise ValueError(f'a column named "{field.name}" is there already; give the new one another name')
        schema = schema.append(field)
    position = schema.names.index(column)

    def batches() -> Iterator[Any]:
        first = 0
        with contextlib.closing(progress_bar(progress, data)) as bar:
            for array in reader:
                if is_table and array.null_count:
                    raise ValueError("a table without null rows expected")
                old = arrow.RecordBatch.from_struct_array(array).columns if is_table else [array]
                for begin in range(0, len(array), size):
                    kept = [each.slice(begin, min(size, len(array) - begin)) for each in old]
                    new, rows = columns(kept[position], first)
                    taken = arrow.Array(rows, arrow.DataType.uint32())
                    yield arrow.RecordBatch.from_arrays([*kept, *(each.take(taken) for each in new)], schema=schema)
                    first += len(rows)
                    bar.update(len(rows))

    return arrow.RecordBatchReader.from_batches(schema, batches())


def _check_type(field: Any) -> None:
    kind = _arro3().DataType
    values = field.type.value_type if kind.is_dictionary(field.type) else field.type
    if not any(test(values) for test in (kind.is_string, kind.is_large_string, kind.is_string_view, kind.is_null)):
        raise TypeError(f'column "{field.name}" holds {str(field.type).strip()}, not text')


def _list_field(name: str, width: int) -> Any:
    arrow = _arro3()
    return arrow.Field(name, arrow.DataType.list(arrow.Field("item", arrow.DataType.float32()), width))


def _lists(rows: Any) -> Any:
    """float32 [n, width] as lists of a fixed size."""
    arrow = _arro3()
    kind = _list_field("", rows.shape[1]).type
    return arrow.fixed_size_list_array(arrow.Array.from_numpy(rows.reshape(-1)), rows.shape[1], type=kind)


def checked_batch_size(size: Any) -> int:
    size = operator.index(size)
    if size < 1:
        raise ValueError(f"batch_size is {size}, at least 1 expected")
    return size


def _arro3() -> Any:
    try:
        import arro3.core
    except ImportError as error:
        raise ImportError("Arrow data needs arro3: pip install 'distilbert-cpp[arrow]'") from error
    return arro3.core


for _class, _name, _function in (
    (_core.TextClassifier, "map", map_texts),
    (_core.TextClassifier, "map_arrow", classify_arrow),
    (_core.SentenceEmbedder, "map", embed_texts),
    (_core.SentenceEmbedder, "map_arrow", embed_arrow),
):
    _function.__doc__ = _core._manual(f"{_class.__name__}.{_name}")
    setattr(_class, _name, _function)
