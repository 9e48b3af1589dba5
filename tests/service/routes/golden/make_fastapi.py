"""Writes fastapi.json: what FastAPI answers to bodies that are wrong, for the routes that copy it.

    pip install fastapi==0.165.0 httpx
    python make_fastapi.py

Each case: path, body (sent as application/json), status, reply.
"""

import json
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict, StringConstraints

app = FastAPI()


class Bulk(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: list[str]


class One(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, StringConstraints(min_length=1, max_length=5000)]


@app.post("/bulk-predict")
def bulk_predict(request: Bulk):
    return {}


@app.post("/predict")
def predict(request: One):
    return {}


BULK = [
    "", "{}", "null", "[]", '"text"', "5", "true", '{"text":null}', '{"text":"a"}', '{"text":5}', '{"text":{}}',
    '{"text":["a",null]}', '{"text":[1]}', '{"text":[1.5,true,[],{"a":"b"}]}', '{"text":[["a"]]}', '{"Text":["a"]}',
    '{"text":["a"],"top_k":-1}', '{"text":[2],"x":1}', '{"other":"\u00e9 \U0001f389"}', '{"text":["\\u0000",3]}',
    # broken JSON
    "   ", "{", '{"text"', '{"text":', '{"text":["a"', '{"text":["a",]}', '{"text":["a"],}', "{text:1}", "{'text':[]}",
    '{"text":["a"]} x', '{"text":["a"]}{}', '{"text":["a\\x"]}', '{"text":["\\u12"]}', '{"text":["a',
    '{"text":["a\tb"]}',
    '{"text":[01]}', '{"text":[+1]}', '{"text":[1 2]}', '{"text" ["a"]}', '{"text":["\u00e9" x]}', "nul",
    '// {"text":[]}',
    '{"text":[.5]}', '{"text":[1.]}', '{"text":[-]}', '{"text":["\U0001f389","\n"]}',
]
ONE = ['{"text":""}', json.dumps({"text": "a" * 5001}), '{"text":["a"]}', '{"text":null}',
       '{"text":"a","deployment":"lambda"}']


def main():
    client = TestClient(app)
    cases = []
    for path, bodies in (("/bulk-predict", BULK), ("/predict", ONE)):
        for body in bodies:
            reply = client.post(path, content=body.encode(), headers={"Content-Type": "application/json"})
            cases.append({"path": path, "body": body, "status": reply.status_code, "reply": reply.json()})
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    Path(__file__).with_name("fastapi.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
