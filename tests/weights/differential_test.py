"""Mutated safetensors files get the reference's verdict, and the same tensors, or a difference that is on our list.

    python differential_test.py [COUNT] [SEED]
"""

import json
import random
import re
import struct
import subprocess
import sys

import make_malformed
from reference import VERDICTS_PROGRAM, reference_listing

BATCH = 25_000
DTYPES = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "U8": 8, "F8_E4M3": 8, "I16": 16, "F16": 16, "BF16": 16, "F32": 32,
          "C64": 64, "F64": 64, "I64": 64}
NUMBERS = ["0", "-0", "1", "-1", "2", "3", "4", "8", "16", "2.0", "1e1", "1E999", "01", "+1", "4294967296",
           "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
           "-9223372036854775809", "0.1", "-", "1.", "null", "true", "[]", '"4"', "1" * 25]
STRINGS = ['"t"', '"\\u0074"', '"a"', '""', '"__metadata__"', '"\\u005f_metadata__"', '"dtype"', '"shape"',
           '"data_offsets"', '"\\u0064type"', '"F32"', '"U8"', '"F4"', '"f32"', '"\\ud800"', '"\\ud83d\\ude00"',
           '"\\udc00\\ud800"', '"\u6a21"', '"\\x41"', '"\\u00', '"a\\u0000b"', '"\x01"', "x", "null"]
PUNCTUATION = ["{", "}", "[", "]", ",", ":", " ", "\n", "\0", "\f", "\ufeff", "/**/", "{}", "[]", "{},", '"x":1,',
               '"x":[{}],']
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|[a-zA-Z]+|\s+|.', re.DOTALL)


def valid_file(rng):
    """The tokens of a valid header, and data for it."""
    place, members = 0, []
    for i in range(rng.choice([0, 1, 1, 2, 2, 3, 4])):
        dtype, bits = rng.choice(list(DTYPES.items()))
        shape = [rng.choice([0, 1, 2, 3, 4, 8]) for _ in range(rng.choice([0, 1, 1, 2, 2, 3]))]
        count = 1
        for extent in shape:
            count *= extent
        size = (count * bits + 7) // 8
        parts = [f'"dtype":"{dtype}"', f'"shape":{json.dumps(shape)}', f'"data_offsets":[{place},{place + size}]']
        if rng.random() < 0.15:
            parts.append(f'"x":{rng.choice(NUMBERS + STRINGS)}')
        if rng.random() < 0.2:
            rng.shuffle(parts)
        members.append(f'"{rng.choice(["t", "a", "layer.%d" % i, "%d" % i])}":{{{",".join(parts)}}}')
        place += size
    if rng.random() < 0.3:
        members.append('"__metadata__":' + rng.choice(['{"a":"b"}', "{}", "null", '{"a":"b","a":"c"}']))
    rng.shuffle(members)
    return TOKEN.findall("{" + ",".join(members) + "}"), rng.randbytes(place)


def mutate_token(rng, tokens):
    i = rng.randrange(len(tokens)) if tokens else 0
    choice = rng.randrange(8)
    if not tokens or choice == 0:
        tokens.insert(i, rng.choice(PUNCTUATION))
    elif choice == 1:
        del tokens[i]
    elif choice == 2:
        j = rng.randrange(len(tokens))
        tokens[i], tokens[j] = tokens[j], tokens[i]
    elif choice == 3:
        tokens[i:i] = tokens[i:i + rng.randrange(1, 20)]
    elif choice in (4, 5):
        places = [k for k, token in enumerate(tokens) if token[0].isdigit()]
        if places:
            k = rng.choice(places)
            tokens[k] = rng.choice(NUMBERS) if rng.random() < 0.5 else str(rng.randrange(33))
    else:
        places = [k for k, token in enumerate(tokens) if token[0] == '"']
        if places:
            tokens[rng.choice(places)] = rng.choice(STRINGS)


def mutate_bytes(rng, content):
    content = bytearray(content)
    i = rng.randrange(len(content))
    choice = rng.randrange(5)
    if choice == 0:
        content[i] = rng.randrange(256)
    elif choice == 1:
        content[i] ^= 1 << rng.randrange(8)
    elif choice == 2:
        del content[i]
    elif choice == 3:
        content.insert(i, rng.randrange(256))
    else:
        del content[rng.choice([i, len(content) - 1]):]
    return bytes(content)


def mutated_file(rng, corpus):
    if rng.random() < 0.1:
        return mutate_bytes(rng, rng.choice(corpus))
    tokens, data = valid_file(rng)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        mutate_token(rng, tokens)
    header = "".join(tokens).encode()
    if header and rng.random() < 0.2:
        header = mutate_bytes(rng, header)
    if rng.random() < 0.1:
        data = data[: rng.randrange(len(data) + 1)] + rng.choice([b"", bytes(1), bytes(4)])
    length = len(header) + (rng.choice([-1, 1, 2**32, 2**63, -len(header)]) if rng.random() < 0.03 else 0)
    return struct.pack("<Q", length % 2**64) + header + data


class Members(list):
    """A JSON object as its (key, value) pairs."""


def parsed_header(content):
    """The header, objects as Members; None if it is no JSON."""
    (length,) = struct.unpack("<Q", content[:8])
    try:
        return json.loads(content[8:8 + length], object_pairs_hook=Members)
    except ValueError:
        return None


def integers(value):
    if isinstance(value, int):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from integers(item[1] if isinstance(value, Members) else item)


PLACEMENT_ERRORS = {"invalid_offset", "tensor_size_mismatch", "size_overflow", "misaligned_tensor"}


def explanation(content, ours, reference):
    """Which of the known differences this one is; None if none of them. All but the last stand in safetensors.hpp."""
    header = parsed_header(content) if len(content) >= 8 else None
    if not isinstance(header, Members):
        return None
    tensors = [member for member in header if member[0] != "__metadata__"]
    if ours == "duplicate_tensor" and len({name for name, _ in tensors}) < len(tensors):
        return "name given twice"
    if ours in PLACEMENT_ERRORS and reference in PLACEMENT_ERRORS:
        places = [tuple(dict(description)["data_offsets"]) for _, description in tensors]
        # The reference checks tensors that claim the same place in the order of its randomly seeded hash table.
        return "which of two tensors in one place is reported" if len(set(places)) < len(places) else None
    if ours != "invalid_header_json":
        return None
    for _, description in tensors:
        if isinstance(description, list) and not isinstance(description, Members):
            return "tensor described by an array"
        for key, value in description if isinstance(description, Members) else ():
            if key == "dtype" and isinstance(value, Members):
                return "dtype given as an object"
            if key not in ("dtype", "shape", "data_offsets") and any(
                    not -(2**63) <= number < 2**64 for number in integers(value)):
                return "integer of more than 64 bits in an unknown key"
    return None


def verdicts(contents):
    stream = b"".join(struct.pack("<Q", len(content)) + content for content in contents)
    run = subprocess.run([VERDICTS_PROGRAM, "stream"], input=stream, stdout=subprocess.PIPE, check=True)
    return run.stdout.decode().splitlines()


def main(count, seed):
    rng = random.Random(seed)
    corpus = [content for group in make_malformed.SMALL for _, content, *_ in group() if 0 < len(content) < 2000]
    tally, explained, unexplained = {}, {}, 0
    for start in range(0, count, BATCH):
        contents = [mutated_file(rng, corpus) for _ in range(min(BATCH, count - start))]
        lines = verdicts(contents)
        assert len(lines) == len(contents)
        for content, ours in zip(contents, lines):
            reference = reference_listing(content)
            verdict = reference.split(" ")[0]
            tally[verdict] = tally.get(verdict, 0) + 1
            if ours == reference:
                continue
            reason = explanation(content, ours, reference)
            if reason:
                explained[reason] = explained.get(reason, 0) + 1
            else:
                unexplained += 1
                print(f"reference {reference}\nours      {ours}\nfile      {content!r}\n")
    print(count, "files, seed", seed)
    print("reference:", ", ".join(f"{verdict} {n}" for verdict, n in sorted(tally.items())))
    print("differences explained:", ", ".join(f"{reason} {n}" for reason, n in sorted(explained.items())) or "none")
    print("differences unexplained:", unexplained)
    return 0 if unexplained == 0 and len(tally) == 11 else 1


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    sys.exit(main(*arguments, *(100_000, 1)[len(arguments):]))
