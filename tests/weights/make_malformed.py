"""Makes the corpus of safetensors files: malformed, odd and valid ones, each with the verdict that it must get.

    python make_malformed.py FOLDER [--large]

writes the files and FOLDER/index.tsv: file, our verdict, the reference's verdict ("=" if it is the same one). A verdict
is "ok" or the name of an ErrorCode. --large makes the few files of 70 MB and more instead of the others.
"""

import argparse
import json
import struct
from pathlib import Path

OK = "ok"
TOO_SMALL = "header_too_small"
TOO_LARGE = "header_too_large"
LENGTH = "invalid_header_length"
UTF8 = "invalid_header_utf8"
JSON = "invalid_header_json"
TWICE = "duplicate_tensor"
OFFSET = "invalid_offset"
SIZE = "tensor_size_mismatch"
OVERFLOW = "size_overflow"
MISALIGNED = "misaligned_tensor"
INCOMPLETE = "incomplete_buffer"


def file(header, data=b"", length=None):
    """A file with this header (text or bytes), whatever it is worth."""
    header = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(header) if length is None else length) + header + bytes(data)


def info(dtype='"F32"', shape="[2,2]", offsets="[0,16]", more=""):
    """The JSON of a tensor's description; the parts are raw JSON."""
    return f'{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}{more}}}'


def one(name='"t"', **parts):
    """The header of a file with one tensor."""
    return f"{{{name}:{info(**parts)}}}"


def tensor(shape, offsets, dtype="F32", size=None):
    """A file with one tensor; `size` bytes of data, or what the offsets ask for."""
    begin, end = offsets
    header = one(dtype=f'"{dtype}"', shape=json.dumps(shape), offsets=json.dumps(offsets))
    return file(header, bytes(end if size is None else size))


def placed(*tensors, size):
    """U8 tensors by (begin, end), in the order given."""
    members = (
        f'"{i}":{info(chr(34) + "U8" + chr(34), f"[{max(end - begin, 0)}]", f"[{begin},{end}]")}'
        for i, (begin, end) in enumerate(tensors)
    )
    return file("{" + ",".join(members) + "}", bytes(size))


T = one()
DATA = bytes(16)


def lengths():
    for size in (0, 1, 7):
        yield f"{size}_bytes", bytes(size), TOO_SMALL
    yield "no_header", file(""), JSON
    yield "zeros", bytes(4096), JSON
    yield "nothing_follows", file("", length=60), LENGTH
    yield "one_byte_short", file(T, length=len(T) + 1), LENGTH
    yield "largest_length_nothing_follows", file("", length=100_000_000), LENGTH
    yield "length_reaches_end_of_data_and_one", file(T, DATA, length=len(T) + 17), LENGTH
    yield "length_covers_data", file(T, DATA, length=len(T) + 16), JSON
    yield "gzip", bytes.fromhex("1f8b080000000000") + DATA, LENGTH
    yield "gzip_with_time", bytes.fromhex("1f8b08008e1c4a69") + DATA, TOO_LARGE
    for name, length in {
        "limit_and_one": 100_000_001,
        "wraps_32_bits": 2**32 + 57,
        "2_63": 2**63,
        "2_64_minus_8": 2**64 - 8,
        "2_64_minus_1": 2**64 - 1,
    }.items():
        yield f"length_{name}", file(T, DATA, length=length), TOO_LARGE
    yield "zip", b"PK\x03\x04\x14\x00\x08\x08\x08\x00" + DATA, TOO_LARGE
    yield "gguf", b"GGUF\x03\x00\x00\x00\x10\x00" + DATA, TOO_LARGE
    yield "git_lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 1\n", TOO_LARGE
    yield "html", b"<!DOCTYPE html><html><body>404</body></html>", TOO_LARGE
    yield "pickle", b"\x80\x02}q\x00X\x01\x00\x00\x00tq\x01K\x01s.", TOO_LARGE
    yield "bare_json", T.encode() + DATA, TOO_LARGE


def json_frames():
    yield "open_brace", file("{"), JSON
    yield "cut_by_one", file(T, DATA, length=len(T) - 1), JSON
    for cut in range(1, len(T) - 1, 9):
        yield f"cut_at_{cut}", file(T[:cut]), JSON
    yield "one_nul_after", file(T + "\0", DATA), JSON
    yield "three_nuls_after", file(T + "\0\0\0", DATA), JSON
    yield "letter_after", file(T + "x", DATA), JSON
    yield "two_documents", file(T + T, DATA), JSON
    yield "two_documents_spaced", file(T + " {} ", DATA), JSON
    yield "brace_after", file(T + "}", DATA), JSON
    yield "comma_after", file(T + ",", DATA), JSON
    for name, space in {"spaces": "   ", "tab": "\t", "lf": "\n", "cr": "\r"}.items():
        yield f"{name}_after", file(T + space, DATA), OK
        yield f"{name}_before", file(space + T, DATA), OK
    yield "form_feed_after", file(T + "\f", DATA), JSON
    yield "vertical_tab_inside", file(T.replace(",", ",\v"), DATA), JSON
    yield "spaces_everywhere", file(T.replace(",", " ,\t").replace(":", "\n: ").replace("[", " [ "), DATA), OK
    yield "no_break_space", file(T.replace(",", ",\u00a0"), DATA), JSON
    yield "only_spaces", file("    "), JSON
    for name, text in {"array": "[]", "null": "null", "string": '"abc"', "number": "1", "true": "true"}.items():
        yield f"top_level_{name}", file(text), JSON
    yield "empty_object", file("{}"), OK
    yield "empty_object_and_data", file("{}", DATA), INCOMPLETE
    yield "unclosed_tensor", file(T[:-1], DATA), JSON
    yield "closed_by_bracket", file(T[:-1] + "]", DATA), JSON
    yield "trailing_comma", file(T[:-1] + ",}", DATA), JSON
    yield "trailing_comma_in_tensor", file(one(more=","), DATA), JSON
    yield "trailing_comma_in_shape", file(one(shape="[2,2,]"), DATA), JSON
    yield "leading_comma", file("{," + T[1:], DATA), JSON
    yield "double_comma", file(T[:-1] + ',,"__metadata__":{}}', DATA), JSON
    yield "missing_comma", file(T[:-1] + '"__metadata__":{}}', DATA), JSON
    yield "missing_colon", file(T.replace(":", "", 1), DATA), JSON
    yield "double_colon", file(T.replace(":", "::", 1), DATA), JSON
    yield "key_without_value", file('{"t"}'), JSON
    yield "key_and_colon", file('{"t":}'), JSON
    yield "comment", file("/* */" + T, DATA), JSON
    yield "single_quotes", file(T.replace('"', "'"), DATA), JSON
    yield "no_quotes", file(T.replace('"', ""), DATA), JSON
    yield "nan", file(one(more=',"x":NaN'), DATA), JSON
    yield "infinity", file(one(more=',"x":-Infinity'), DATA), JSON


def names():
    yield "byte_ff", file(b"\xff"), UTF8
    for name, text in {"ff": b"\xff", "overlong": b"\xc0\xaf", "surrogate": b"\xed\xa0\x80", "cut": b"\xe2\x82",
                       "beyond_unicode": b"\xf4\x90\x80\x80"}.items():
        yield f"name_{name}", file(T.encode().replace(b'"t"', b'"' + text + b'"'), DATA), UTF8
    yield "utf8_before_json", file(b"{{\xff"), UTF8
    yield "bom", file("\ufeff" + T, DATA), JSON
    yield "utf16", file(T.encode("utf-16-le"), DATA), JSON
    for name, text in {"lone_high": r"\ud800", "lone_low": r"\udc00", "two_high": r"\ud800\ud800",
                       "high_text": r"\ud800a", "high_and_escape": r"\ud800\n", "swapped": r"\udc00\ud800",
                       "hex_escape": r"\x41", "u_cut": r"\u00", "u_bad": r"\u00gg", "unknown_escape": r"\a"}.items():
        yield f"name_{name}", file(one(f'"{text}"'), DATA), JSON
    for name, text in {"pair": r"\ud83d\ude00", "cjk": "\u6a21\u578b", "nfc": "\u00e9", "empty": "", "nul": r"a\u0000b",
                       "path": "../../etc/passwd", "escapes": r"\"\\\/\b\f\n\r\t", "del": "\x7f",
                       "mega": "n" * 1_000_000}.items():
        yield f"name_{name}", file(one(f'"{text}"'), DATA), OK
    half = info(shape="[2]", offsets="[0,8]"), info(shape="[2]", offsets="[8,16]")
    yield "nfc_and_nfd", file(f'{{"\u00e9":{half[0]},"e\u0301":{half[1]}}}', DATA), OK
    yield "name_raw_01", file(one('"\x01"'), DATA), JSON
    yield "name_raw_lf", file(one('"\n"'), DATA), JSON
    yield "unterminated_name", file('{"t'), JSON
    yield "number_as_name", file("{1:2}"), JSON

    def twice(first, second, size, name='"t"'):
        return file(f'{{"t":{first},{name}:{second}}}', bytes(size))

    yield "twice_the_same", twice(info(), info(), 16), TWICE, OK
    yield "twice_first_beyond", twice(info(offsets="[16,32]"), info(), 16), TWICE, OK
    yield "twice_second_beyond", twice(info(), info(offsets="[16,32]"), 32), TWICE, OFFSET
    yield "twice_escaped", twice(info(), info(), 16, r'"\u0074"'), TWICE, OK
    yield "empty_name_twice", file(f'{{"":{info()},"":{info()}}}', DATA), TWICE, OK
    yield "prefix_names", file(f'{{"a":{half[0]},"a\\u0000":{half[1]}}}', DATA), OK


def metadata():
    def around(value, tensors=T[1:-1]):
        return file(f'{{"__metadata__":{value}{"," if tensors else ""}{tensors}}}', DATA if tensors else b"")

    yield "only_metadata", around('{"a":"b"}', ""), OK
    yield "only_metadata_and_data", file('{"__metadata__":{"a":"b"}}', DATA), INCOMPLETE
    yield "metadata_null", around("null"), OK
    yield "metadata_empty", around("{}"), OK
    yield "metadata_last", file(T[:-1] + ',"__metadata__":{"a":"b"}}', DATA), OK
    yield "metadata_key_twice", around('{"a":"b","a":"c"}'), OK
    yield "metadata_escaped_key", file(T[:-1] + r',"\u005f_metadata__":{"a":"b"}}', DATA), OK
    for name, value in {"number": "1", "null": "null", "map": "{}", "array": "[]", "true": "true"}.items():
        yield f"metadata_value_{name}", around(f'{{"a":{value}}}'), JSON
    for name, value in {"array": "[]", "string": '"a"', "tensor": info(), "true": "true", "nulls": "nulls",
                        "nul": "nul"}.items():
        yield f"metadata_{name}", around(value), JSON
    yield "metadata_twice", around('{},"__metadata__":{}'), JSON
    yield "metadata_twice_one_null", around('null,"__metadata__":{}'), JSON
    yield "metadata_twice_escaped", around(r'{},"\u005f_metadata__":{}'), JSON
    yield "metadata_lone_surrogate", around(r'{"a":"\ud800"}'), JSON


def descriptions():
    for missing in ("dtype", "shape", "data_offsets"):
        parts = {"dtype": '"F32"', "shape": "[2,2]", "data_offsets": "[0,16]"}
        del parts[missing]
        yield f"no_{missing}", file('{"t":{' + ",".join(f'"{k}":{v}' for k, v in parts.items()) + "}}", DATA), JSON
    for name, text in {"empty": "{}", "null": "null", "string": '"F32"', "number": "3", "true": "true"}.items():
        yield f"info_{name}", file(f'{{"t":{text}}}', DATA), JSON
    yield "unknown_key", file(one(more=',"x":1'), DATA), OK
    yield "unknown_key_twice", file(one(more=',"x":1,"x":[]'), DATA), OK
    yield "unknown_string", file(one(more=r',"x":"a\nb\ud83d\ude00"'), DATA), OK
    yield "unknown_surrogate", file(one(more=r',"x":"\ud800"'), DATA), JSON
    yield "unknown_key_surrogate", file(one(more=r',"\ud800":1'), DATA), JSON
    yield "unknown_inner_surrogate", file(one(more=r',"x":{"\ud800":1}'), DATA), JSON
    yield "unknown_float", file(one(more=',"x":-1.5e-3'), DATA), OK
    yield "unknown_minus_zero", file(one(more=',"x":-0'), DATA), OK
    yield "unknown_1e999", file(one(more=',"x":1e999'), DATA), JSON
    yield "unknown_2_64", file(one(more=',"x":18446744073709551616'), DATA), JSON, OK
    yield "unknown_1_mib", file(one(more=',"x":"' + "x" * (2**20 - 2) + '"'), DATA), OK
    yield "unknown_more_than_1_mib", file(one(more=',"x":"' + "x" * (2**20 - 1) + '"'), DATA), JSON, OK
    yield "unknown_1000_digits", file(one(more=',"x":' + "1" * 1000), DATA), JSON
    for name, text in {"leading_zero": "01", "plus": "+1", "dot": "1.", "bare_exponent": "1e", "minus": "-",
                       "hex": "0x1", "word": "tru", "long_word": "trues", "cut_array": "[1,2", "crossed": "[1,2}",
                       "comma": "[1,2,]", "lone_comma": "[,]", "no_comma": "[1 2]", "no_colon": '{"a" 1}',
                       "no_key": "{1:2}", "two_strings": '{"a" "b"}', "colon_array": '["a":1]', "empty": ""}.items():
        yield f"unknown_{name}", file(one(more=f',"x":{text}'), DATA), JSON
    yield "dtype_twice", file(one(more=',"dtype":"F32"'), DATA), JSON
    yield "shape_twice", file(one(more=',"shape":[2,2]'), DATA), JSON
    yield "offsets_twice_escaped", file(one(more=r',"data_\u006fffsets":[0,16]'), DATA), JSON
    yield "escaped_keys", file(T.replace("dtype", r"\u0064type").replace("F32", r"\u004632"), DATA), OK
    yield "keys_reversed", file('{"t":{"data_offsets":[0,16],"shape":[2,2],"dtype":"F32"}}', DATA), OK
    yield "info_array", file('{"t":["F32",[2,2],[0,16]]}', DATA), JSON, OK
    yield "dtype_object", file(one(dtype='{"F32":null}'), DATA), JSON, OK
    for depth, verdict in {1: OK, 120: OK, 125: OK, 126: JSON, 200: JSON, 100_000: JSON}.items():
        yield f"depth_{depth}", file(one(more=',"x":' + "[" * depth + "]" * depth), DATA), verdict
    yield "depth_objects_120", file(one(more=',"x":' + '{"a":' * 120 + "1" + "}" * 120), DATA), OK
    yield "depth_objects_100000", file('{"a":' * 100_000 + "1" + "}" * 100_000), JSON
    yield "depth_open_brackets", file("[" * 100_000), JSON
    yield "depth_in_shape", file(one(shape="[" * 500 + "]" * 500), DATA), JSON


def dtypes():
    for name, text in {"unknown": '"F31"', "lower_case": '"f32"', "space": '"F32 "', "long_name": '"float32"',
                       "empty": '""', "nul": r'"F32\u0000"', "null": "null", "number": "32", "array": '["F32"]',
                       "true": "true"}.items():
        yield f"dtype_{name}", file(one(dtype=text), DATA), JSON
    sizes = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1,
             "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "F64": 8, "I64": 8, "U64": 8,
             "C64": 8}
    for dtype, size in sizes.items():
        yield f"dtype_{dtype}", tensor([2, 3], (0, 6 * size), dtype), OK
        yield f"dtype_{dtype}_short", tensor([2, 3], (0, 6 * size - 1), dtype), SIZE
    yield "f4", tensor([2, 2], (0, 2), "F4"), OK
    yield "f6_e2m3", tensor([4], (0, 3), "F6_E2M3"), OK
    yield "f6_e3m2", tensor([4], (0, 3), "F6_E3M2"), OK
    yield "f4_12_bits", tensor([3], (0, 2), "F4"), MISALIGNED
    yield "f6_6_bits", tensor([1], (0, 1), "F6_E2M3"), MISALIGNED
    yield "f4_misaligned_and_wrong", tensor([3], (0, 7), "F4"), MISALIGNED
    yield "f4_short", tensor([4], (0, 1), "F4"), SIZE
    yield "nan_and_inf", file(T, struct.pack("<4f", float("nan"), float("inf"), float("-inf"), 0)), OK


def shapes():
    yield "scalar", tensor([], (0, 4)), OK
    yield "no_elements", tensor([0], (0, 0)), OK
    yield "no_columns", tensor([2, 0], (0, 0)), OK
    yield "zero_times_2_63", tensor([0, 2**63], (0, 0)), OK
    yield "zero_times_2_126", tensor([0, 2**63, 2**63], (0, 0)), OK
    yield "2_126_times_zero", tensor([2**63, 2**63, 0], (0, 0)), OVERFLOW
    for name, item in {"minus_1": "-1", "float": "2.0", "exponent": "2e0", "string": '"2"', "true": "true",
                       "null": "null", "array": "[2]", "object": "{}", "2_64": str(2**64), "leading_zero": "02",
                       "plus": "+2", "minus_0": "-0", "30_digits": "1" * 30, "hex": "0x2", "letter": "2a",
                       "space": "2 2", "empty": ""}.items():
        yield f"shape_{name}", file(one(shape=f"[2,{item}]"), DATA), JSON
    for name, text in {"null": "null", "number": "4", "object": '{"0":2}', "string": '"2,2"',
                       "unclosed": "[2,2"}.items():
        yield f"shape_is_{name}", file(one(shape=text), DATA), JSON
    yield "count_overflows", tensor([2, 2**64 - 2], (0, 0), "U8"), OVERFLOW
    yield "bytes_overflow", tensor([2, 2**63 - 1], (0, 0)), OVERFLOW
    yield "bits_overflow_f32", tensor([2**62], (0, 0)), OVERFLOW
    yield "count_is_2_64", tensor([2**32, 2**32], (0, 0), "U8"), OVERFLOW
    yield "bits_overflow_u8", tensor([2**61], (0, 0), "U8"), OVERFLOW
    yield "bits_overflow_f4", tensor([2**62], (0, 0), "F4"), OVERFLOW
    yield "bits_fit_f4", tensor([2**62 - 1], (0, 2**61), "F4", 4), MISALIGNED
    yield "wraps_32_bits", tensor([2**30], (0, 0)), SIZE
    yield "rank_1000", tensor([1] * 1000, (0, 4)), OK
    yield "rank_100000", tensor([1] * 100_000, (0, 4)), OK


def offsets():
    yield "begin_after_end", tensor([4], (4, 0), "U8", 4), OFFSET
    yield "first_begins_at_4", tensor([4], (4, 8), "U8"), OFFSET
    yield "backwards_after_first", placed((0, 4), (4, 2), size=4), OFFSET
    yield "two_equal", placed((0, 4), (0, 4), size=4), OFFSET
    yield "overlap", placed((0, 4), (2, 6), size=6), OFFSET
    yield "contained", placed((0, 8), (2, 4), size=8), OFFSET
    yield "hole", placed((0, 4), (8, 12), size=12), OFFSET
    yield "empty_inside_another", placed((0, 16), (8, 8), size=16), OFFSET
    yield "empty_beyond", placed((0, 16), (100, 100), size=16), OFFSET
    yield "end_past_file", tensor([2, 2], (0, 16), size=12), INCOMPLETE
    yield "two_bytes_short", tensor([2, 2], (0, 16), size=14), INCOMPLETE
    yield "trailing_bytes", tensor([2, 2], (0, 16), size=17), INCOMPLETE
    yield "no_data_at_all", tensor([2, 2], (0, 16), size=0), INCOMPLETE
    yield "u8_2_61_minus_1", tensor([2**61 - 1], (0, 2**61 - 1), "U8", 16), INCOMPLETE
    yield "end_2_64_minus_1", tensor([2**64 - 1], (0, 2**64 - 1), "U8", 16), OVERFLOW
    yield "two_that_wrap", placed((0, 2**60), (2**60, 2**64 - 1), size=16), OVERFLOW
    yield "end_too_small", tensor([2, 2], (0, 12)), SIZE
    yield "end_too_big", tensor([2, 2], (0, 20)), SIZE
    yield "scalar_in_8", tensor([], (0, 8)), SIZE
    for name, item in {"minus_16": "-16", "float": "16.0", "string": '"16"', "null": "null", "2_64": str(2**64),
                       "minus_0": "-0"}.items():
        yield f"offset_{name}", file(one(offsets=f"[0,{item}]"), DATA), JSON
    yield "begin_float", file(one(offsets="[0.0,16]"), DATA), JSON
    for name, text in {"none": "[]", "one": "[16]", "three": "[0,16,16]", "object": '{"0":0,"1":16}', "null": "null",
                       "number": "16"}.items():
        yield f"offsets_{name}", file(one(offsets=text), DATA), JSON
    yield "any_order", placed((8, 12), (0, 8), (12, 16), size=16), OK
    yield "empty_first", placed((0, 4), (0, 0), size=4), OK
    yield "empty_last", placed((4, 4), (0, 4), size=4), OK
    yield "empty_between", placed((4, 8), (4, 4), (4, 4), (0, 4), size=8), OK
    header = f'{{"a":{info(chr(34) + "U8" + chr(34), "[1]", "[0,1]")},"b":{info(offsets="[1,17]")}}}'
    yield "misaligned_f32", file(header, bytes(17)), OK
    for padding in range(1, 8):
        yield f"header_length_plus_{padding}", file(T + " " * padding, DATA), OK
    yield "header_ends_with_its_page", file(T + " " * (4088 - len(T)), DATA), OK
    yield "header_ends_with_file_and_page", file("{}" + " " * 4086), OK


def large():
    yield "header_100_000_000", file(T + " " * (100_000_000 - len(T)), DATA), OK
    million = ((f'"tensor.{i:06}"', f"[{i},{i + 1}]") for i in range(1_000_000))
    header = ",".join(name + ":" + info('"U8"', "[1]", place) for name, place in million)
    yield "million_tensors", file("{" + header + "}", bytes(1_000_000)), OK
    header = ",".join(f'"tensor.{i:06}":' + info() for i in range(1_000_000))
    yield "million_tensors_in_one_place", file("{" + header + "}", DATA), OFFSET


SMALL = (lengths, json_frames, names, metadata, descriptions, dtypes, shapes, offsets)


def write(folder, groups):
    """Writes the files of these groups and their index; returns the index as (path, ours, reference)."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    index = []
    for group in groups:
        for name, content, ours, *reference in group():
            path = folder / f"{group.__name__}-{name}.safetensors"
            assert path not in (entry[0] for entry in index), path
            path.write_bytes(content)
            index.append((path, ours, *(reference or ["="])))
    (folder / "index.tsv").write_text("".join(f"{path.name}\t{ours}\t{ref}\n" for path, ours, ref in index))
    return index


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--large", action="store_true")
    args = parser.parse_args()
    print(len(write(args.folder, [large] if args.large else SMALL)), "files in", args.folder)
