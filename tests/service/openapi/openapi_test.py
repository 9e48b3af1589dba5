"""The OpenAPI document: valid, true to the server that serves it, and its examples are answered as it says."""

import json
import sys
import urllib.parse
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

sys.path.insert(0, str(Path(__file__).parents[1]))
import models
from server_process import ServerProcess

METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]


@pytest.fixture(scope="module", params=models.TASKS)
def task(request):
    return request.param


@pytest.fixture(scope="module")
def server(task, tmp_path_factory):
    with ServerProcess(models.model_of(task, tmp_path_factory.mktemp("models"))) as process:
        yield process


@pytest.fixture(scope="module")
def openapi(server):
    return server.get("/openapi.json").json


def resolved(openapi, value):
    while "$ref" in value:
        kind, name = value["$ref"].removeprefix("#/components/").split("/")
        value = openapi["components"][kind][name]
    return value


def operations(openapi):
    for path, item in openapi["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method], item.get("parameters", []) + item[method].get("parameters", [])


def examples(content, task=None):
    """(name, value) of each example of a media type; one that bears no name is ''. With a task, without those that
    "x-tasks" keeps for models of others."""
    found = [("", content["example"])] if "example" in content else []
    return found + [(name, example["value"]) for name, example in content.get("examples", {}).items()
                    if task is None or task in example.get("x-tasks", [task])]


def faults(openapi, schema, value):
    """What is wrong with the value: nothing, one hopes."""
    validator = Draft202012Validator({**schema, "components": openapi["components"]})
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(value)]


def filled(openapi, path, parameters):
    """The path with the examples of its parameters, and the header fields that must be there."""
    query, fields = {}, {}
    for parameter in (resolved(openapi, one) for one in parameters):
        if not parameter.get("required"):
            continue
        schema = resolved(openapi, parameter["schema"])
        value = next(iter(([parameter["example"]] if "example" in parameter else []) + schema.get("examples", []) +
                          schema.get("enum", [])))
        match parameter["in"]:
            case "path":
                path = path.replace("{" + parameter["name"] + "}", urllib.parse.quote(str(value), safe=""))
            case "query":
                query[parameter["name"]] = value
            case "header":
                fields[parameter["name"]] = str(value)
    return path + ("?" + urllib.parse.urlencode(query) if query else ""), fields


def expected_status(openapi, operation, name):
    """That of the response that has an example of this name; else the first that is a success."""
    for status, response in operation["responses"].items():
        for content in resolved(openapi, response).get("content", {}).values():
            if name and name in content.get("examples", {}):
                return int(status)
    return min(int(status) for status in operation["responses"] if status.startswith("2"))


def check(openapi, operation, reply):
    """The faults of a reply, measured by the description of its operation."""
    if str(reply.status) not in operation["responses"]:
        return [f"status {reply.status} is not described: {reply.body[:300]}"]
    contents = resolved(openapi, operation["responses"][str(reply.status)]).get("content", {})
    if not contents:
        return [] if reply.body == b"" else ["a body that is not described"]
    media_type = reply.fields.get("content-type", "").split(";")[0]
    if media_type not in contents:
        return [f"{media_type} is not described"]
    if media_type != "application/json":
        return []
    return faults(openapi, contents[media_type].get("schema", {}), reply.json)


def test_is_valid(openapi):
    validate(openapi)
    assert openapi["openapi"].startswith("3.1.")
    identifiers = [operation["operationId"] for _, _, operation, _ in operations(openapi)]
    assert len(identifiers) == len(set(identifiers))
    for _, path, operation, _ in operations(openapi):
        assert operation["tags"] and operation["summary"], path


def test_examples_fit_their_schemas(openapi):
    """But those of requests that are to be refused."""
    wrong = []
    for method, path, operation, _ in operations(openapi):
        contents = [(content, True) for content in operation.get("requestBody", {}).get("content", {}).items()]
        for response in operation["responses"].values():
            contents += [(content, False) for content in resolved(openapi, response).get("content", {}).items()]
        for (media_type, content), is_request in contents:
            for name, value in examples(content):
                refused = is_request and expected_status(openapi, operation, name) >= 400
                if media_type == "application/json" and not refused:
                    wrong += [(method, path, name, fault)
                              for fault in faults(openapi, content.get("schema", {}), value)]
    assert not wrong, "\n".join(map(str, wrong))


def test_examples_are_answered(task, openapi, server):
    wrong, sent = [], 0
    for method, path, operation, parameters in operations(openapi):
        target, fields = filled(openapi, path, parameters)
        requests = [("", None, fields)]
        if "requestBody" in operation:
            requests = []
            for media_type, content in operation["requestBody"]["content"].items():
                if media_type == "application/json":
                    requests += [(name, json.dumps(value), {**fields, "Content-Type": media_type})
                                 for name, value in examples(content, task)]
            assert requests, f"{method} {path} has no example"
        for name, body, with_type in requests:
            reply = server.request(method.upper(), target, body=body, fields=with_type)
            sent += 1
            expected = expected_status(openapi, operation, name)
            if reply.status != expected:
                wrong.append((method, target, name, f"{reply.status} instead of {expected}: {reply.body[:300]}"))
            wrong += [(method, target, name, fault) for fault in check(openapi, operation, reply)]
    assert not wrong, "\n".join(map(str, wrong))
    assert sent >= len(list(operations(openapi)))


def test_api_key():
    with ServerProcess(env={"API_KEY": "secret"}) as server:
        openapi = server.get("/openapi.json").json
        validate(openapi)
        for method, path, operation, parameters in operations(openapi):
            assert ("security" in operation) == (method != "get"), path
            if method != "get":
                target, fields = filled(openapi, path, parameters)
                reply = server.request(method.upper(), target, body="{}", fields=fields)
                assert reply.status == 401 and not list(check(openapi, operation, reply)), path


def test_root_path():
    with ServerProcess(env={"ROOT_PATH": "/project"}) as server:
        assert server.get("/project/openapi.json").json["servers"] == [{"url": "/project"}]
        assert server.get("/openapi.json").json["servers"] == [{"url": "/project"}]
        assert server.get("/project/docs").status == 200
        assert server.get("/").status == 404
        assert server.get("/").json == {"detail": "Not Found"}


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
