"""What a resource's properties may be, and how two sets of them differ.

The provider SDKs describe every input property in annotations, down through nested objects. They are read from the
SDK's source text, class by class: importing an SDK takes seconds, and a provider must start in a fraction of one.
Property values are plain JSON as the engine sends it; `UNKNOWN` stands for a value that only an update will know.
"""

import ast
import functools
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format, struct_pb2

# The sentinels of pulumi/sdk/go/common/resource/plugin/rpc.go and .../resource/sig
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
TYPED_UNKNOWNS = """
    1c4a061d-8072-4f0a-a4cb-0ff528b18fe7 3eeb2bf0-c639-47a8-9e75-3b44932eb421 6a19a0b0-7e62-4c92-b797-7f8e31da9cc2
    030794c1-ac77-496b-92df-f27374a8bd58 e48ece36-62e2-4504-bad9-02848725956a dd056dcd-154b-4c76-9bd3-c8f88648b5ff
"""  # a truth value, a number, a list, an asset, an archive, an object
UNKNOWNS = {UNKNOWN, *TYPED_UNKNOWNS.split()}
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the wire's mark of a secret, not one
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"

PRIMITIVES = {"str": (str,), "bool": (bool,), "int": (int,), "float": (int, float)}
Problem = tuple[str, str]  # path of the property, what is wrong with it


def from_struct(value: struct_pb2.Struct) -> dict[str, Any]:
    """Plain JSON of a gRPC struct: whole numbers as int, secrets and known outputs as their value."""
    return {key: _plain(field) for key, field in value.fields.items()}


def to_struct(value: Mapping[str, Any]) -> struct_pb2.Struct:
    """The gRPC struct of plain JSON."""
    return json_format.ParseDict(value, struct_pb2.Struct())


def _plain(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        plain = from_struct(value.struct_value)
        if plain.get(SIGNATURE) == SECRET:
            return plain.get("value")
        if plain.get(SIGNATURE) == OUTPUT:
            return plain.get("value", UNKNOWN)
        return plain
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    if kind == "number_value":
        return int(value.number_value) if value.number_value.is_integer() else value.number_value
    if kind == "string_value":
        return UNKNOWN if value.string_value in UNKNOWNS else value.string_value
    return value.bool_value if kind == "bool_value" else None


def has_unknown(value: Any) -> bool:
    """Whether any part of the value is still unknown."""
    return UNKNOWN in json.dumps(value)


def join(path: str, key: str) -> str:
    """The path of a property of the object at `path`, written as Pulumi writes paths."""
    if not re.fullmatch(r"[A-Za-z_$][\w$]*", key):
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str, Any, Any]]:
    """Where `new` differs from `old`: path, ADD, DELETE or UPDATE, and both values. Absent and null are one."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from differences(old.get(key), new.get(key), join(path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before, after = (items[index] if index < len(items) else None for items in (old, new))
            yield from differences(before, after, f"{path}[{index}]")
    elif old != new:
        yield path, "ADD" if old is None else "DELETE" if new is None else "UPDATE", old, new


@dataclass(frozen=True)
class Property:
    """A property as the SDK annotates it."""

    type: ast.expr
    required: bool
    constant: str | None  # the only value that it takes: what tells the classes of a union apart


@functools.cache
def _classes(path: Path) -> dict[str, str]:
    """The source text of every class of a generated module, by name."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return {re.split(r"\W", part, maxsplit=1)[0]: part for part in text.split("\nclass ")[1:]}


def _class(path: Path, name: str) -> str:
    """The source text of one class of a generated module, empty if it has none."""
    return _classes(path).get(name, "")


def _wire_names(source: str) -> dict[str, str]:
    getters = re.findall(r'@pulumi\.getter(?:\(name="(\w+)"\))?\s+def (\w+)', source)
    return {python: wire or python for wire, python in getters}


@functools.cache
def fields(path: Path, name: str) -> dict[str, Property]:
    """The input properties of the args class `name` in the module at `path`, by their name on the wire."""
    source = _class(path, name)
    signature = re.search(r"def __init__\(__self__(.*?)\):\n", source, re.DOTALL)
    assert signature, f"{path} holds no class {name}"
    function = ast.parse(f"def f(self{signature[1]}): pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    names = _wire_names(source)
    constants = dict(re.findall(r"pulumi\.set\(__self__, \"(\w+)\", '([^']+)'\)", source))
    return {
        names[argument.arg]: Property(argument.annotation, default is None, constants.get(argument.arg))
        for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        if argument.annotation is not None and argument.arg in names
    }


@functools.cache
def _module(token: str) -> tuple[Path, str]:
    package, module, name = token.split(":")
    spec = importlib.util.find_spec("pulumi_" + package.replace("-", "_"))
    assert spec is not None and spec.origin is not None, f"the SDK of {package} is not installed"
    folder, _, file = module.partition("/")
    root = Path(spec.origin).parent
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", file or name).lower()
    return (root if folder in ("index", "provider") else root / folder) / f"{snake}.py", name


@functools.cache
def computed_names(token: str) -> frozenset[str]:
    """The properties of a resource type that the cloud alone sets."""
    path, name = _module(token)
    source = _class(path, name)
    body = source[source.find("def _internal_init") : source.find("def get(")]
    names = _wire_names(source)
    return frozenset(names[python] for python in re.findall(r'__dict__\["(\w+)"\] = None', body) if python in names)


def fields_of(token: str) -> dict[str, Property]:
    """The input properties of a resource type or a provider (`databricks:provider:Provider`)."""
    path, name = _module(token)
    initial = f"{name}InitArgs"  # where other resources take such a thing, too: their class has the plain name
    return fields(path, initial if _class(path, initial) else f"{name}Args")


def check(token: str, inputs: Mapping[str, Any]) -> list[Problem]:
    """The unknown, missing and ill-typed properties of a resource's inputs, each with its path."""
    return list(_check_object(inputs, fields_of(token), _module(token)[0], ""))


def _check_object(
    value: Mapping[str, Any], properties: Mapping[str, Property], module: Path, path: str
) -> Iterator[Problem]:
    for key in value:
        if key not in properties and not key.startswith("__"):
            yield join(path, key), "unknown property"
    for key, declared in properties.items():
        if value.get(key) is not None:
            yield from _check(value[key], declared.type, module, join(path, key))
        elif declared.required:
            yield join(path, key), "required property is missing"


def _check(value: Any, annotation: ast.expr, module: Path, path: str) -> list[Problem]:
    if value is None or value == UNKNOWN or (isinstance(value, dict) and SIGNATURE in value):  # an asset, for one
        return []
    choices = _alternatives(annotation)
    if isinstance(value, dict) and len(choices) > 1:
        constants = {choice: _constants(choice, module) for choice in choices}
        fitting = [c for c in choices if any(value.get(key) == known for key, known in constants[c].items())]
        if not fitting and all(constants.values()):
            key = next(iter(constants[choices[0]]))
            known = ", ".join(sorted(values[key] for values in constants.values()))
            unknown = value.get(key) == UNKNOWN
            return [] if unknown else [(join(path, key), f"{value.get(key)!r} is none of {known}")]
        choices = fitting or choices
    found = [_check_as(value, choice, module, path) for choice in choices]
    fits = [problems for problems in found if problems is not None]
    if fits:
        return min(fits, key=len)
    wanted = " or ".join(sorted({_source(choice).replace("_builtins.", "").strip("'") for choice in choices}))
    return [(path, f"{value!r} is not of type {wanted}"[:300])]


_source = functools.cache(ast.unparse)  # an annotation is read again for each value that it is of


@functools.cache
def _alternatives(annotation: ast.expr) -> tuple[ast.expr, ...]:
    """Input[Optional[Union[A, B]]] → A, B."""
    if isinstance(annotation, ast.Subscript):
        outer = _source(annotation.value).rpartition(".")[2]
        if outer in ("Input", "Optional", "Union"):
            inner = annotation.slice
            choices = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return tuple(one for choice in choices for one in _alternatives(choice))
    return (annotation,)


def _class_name(annotation: ast.expr) -> str | None:
    """The name of an args class or enum, which the SDK annotates in quotes."""
    return annotation.value if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str) else None


def _constants(annotation: ast.expr, module: Path) -> dict[str, str]:
    """The properties of an args class that take one value only."""
    inputs, name = module.with_name("_inputs.py"), _class_name(annotation)
    declared = fields(inputs, name) if name and _class(inputs, name) else {}
    return {key: p.constant for key, p in declared.items() if p.constant}


def _check_as(value: Any, annotation: ast.expr, module: Path, path: str) -> list[Problem] | None:
    """The problems of a value taken as one type, or None if it is of quite another."""
    if isinstance(annotation, ast.Subscript):
        outer, inner = _source(annotation.value), annotation.slice
        if outer == "Sequence" and isinstance(value, list):
            return [p for index, item in enumerate(value) for p in _check(item, inner, module, f"{path}[{index}]")]
        if outer == "Mapping" and isinstance(value, dict) and isinstance(inner, ast.Tuple):
            return [p for key, item in value.items() for p in _check(item, inner.elts[1], module, join(path, key))]
        return None
    name = _class_name(annotation)
    if name is None:
        plain = _source(annotation).removeprefix("_builtins.")
        if plain == "Any":
            return []
        fits = isinstance(value, PRIMITIVES.get(plain, ())) and (plain == "bool" or not isinstance(value, bool))
        return [] if fits else None
    enum = _class(module.with_name("_enums.py"), name)
    if enum:
        values = re.findall(r'^    [A-Z_0-9]+ = "?([^"\n]+)', enum, re.MULTILINE)
        return [] if str(value) in values else [(path, f"{value!r} is not one of {', '.join(values)}")]
    if not isinstance(value, dict):
        return None
    wrong = [
        (join(path, key), f"{value[key]!r} is not {constant!r}")
        for key, constant in _constants(annotation, module).items()
        if value.get(key) not in (None, constant, UNKNOWN)
    ]
    return wrong or list(_check_object(value, fields(module.with_name("_inputs.py"), name), module, path))
