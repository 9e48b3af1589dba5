"""What the reference implementation of safetensors says, in the words of our ErrorCode."""

import os
from pathlib import Path

import safetensors

VERDICTS_PROGRAM = Path(os.environ["DISTILBERT_BIN"]) / "tests" / "safetensors_verdicts"


CODES = {
    "header too small": "header_too_small",
    "header too large": "header_too_large",
    "invalid header length": "invalid_header_length",
    "invalid UTF-8 in header": "invalid_header_utf8",
    "invalid JSON in header": "invalid_header_json",
    "invalid offset for tensor": "invalid_offset",
    "invalid shape, data type, or offset for tensor": "tensor_size_mismatch",
    "overflow computing buffer size": "size_overflow",
    "The slice is slicing for subbytes dtypes": "misaligned_tensor",
    "incomplete metadata, file not fully covered": "incomplete_buffer",
}


def reference_tensors(content):
    """The verdict ("ok", or the ErrorCode that stands for the reference's error) and the tensors."""
    try:
        return "ok", safetensors.deserialize(content)
    except safetensors.SafetensorError as error:
        message = str(error).removeprefix("Error while deserializing: ")
        return next((code for start, code in CODES.items() if message.startswith(start)), message), []


def reference_verdict(content):
    return reference_tensors(content)[0]


def reference_listing(content):
    """What `safetensors_verdicts stream` prints if it agrees with the reference in everything."""
    verdict, tensors = reference_tensors(content)
    lines = sorted((name.encode(), tensor) for name, tensor in tensors)
    return " ".join([verdict, *(
        f"{name.hex()}:{tensor['dtype']}:{','.join(map(str, tensor['shape']))}:{tensor['data'].hex()}"
        for name, tensor in lines)])
