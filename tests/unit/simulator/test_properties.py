"""What the SDKs' annotations say of properties, and how two sets of them differ."""

import copy

import pytest
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from simulator import properties
from simulator.properties import UNKNOWN, check, differences, from_struct, to_struct

ACCOUNT = "azure-native:storage:StorageAccount"
PIPELINE = "azure-native:datafactory:Pipeline"
JOB = "databricks:index/job:Job"
GOOD_ACCOUNT = {
    "resourceGroupName": "rg",
    "accountName": "lake",
    "kind": "StorageV2",
    "sku": {"name": "Standard_LRS"},
    "accessTier": "Hot",
    "isHnsEnabled": True,
    "networkRuleSet": {"defaultAction": "Deny", "ipRules": [{"iPAddressOrRange": "1.1.1.1"}]},
    "tags": {"environment": "local", "cost centre": "7"},
}
GOOD_JOB = {
    "name": "j",
    "maxConcurrentRuns": 1,
    "tasks": [
        {"taskKey": "bronze", "pythonWheelTask": {"packageName": "w", "entryPoint": "task", "parameters": ["--x"]}},
        {"taskKey": "silver", "dependsOns": [{"taskKey": "bronze"}], "libraries": [{"whl": "/w.whl"}]},
    ],
}

keys = st.sampled_from(("a", "b", "c.d")) | st.text(min_size=1, max_size=8)  # some that two objects share
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6
)
objects = st.dictionaries(keys, values, max_size=3)


def places(value, path=()):
    """The paths of all parts of a value."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield from places(part, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def put(value, path, part):
    changed = copy.deepcopy(value)
    at(changed, path[:-1])[path[-1]] = part
    return changed


@pytest.mark.parametrize(("token", "inputs"), [(ACCOUNT, GOOD_ACCOUNT), (JOB, GOOD_JOB)])
def test_good_inputs_have_no_problem(token, inputs):
    assert check(token, inputs) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"enableHns": True}, ("enableHns", "unknown property")),
        ({"kind": None}, ("kind", "required property is missing")),
        ({"sku": {}}, ("sku.name", "required property is missing")),
        ({"sku": {"name": "x", "teir": "y"}}, ("sku.teir", "unknown property")),
        ({"isHnsEnabled": "yes"}, ("isHnsEnabled", "'yes' is not of type bool")),
        ({"accessTier": "Warm"}, ("accessTier", "'Warm' is not one of Hot, Cool, Premium, Cold")),
        ({"tags": {"a": 1}}, ("tags.a", "1 is not of type str")),
        ({"tags": {"a b": 1}}, ('tags["a b"]', "1 is not of type str")),
        (
            {"networkRuleSet": {"defaultAction": "Deny", "ipRules": [{"iPAddressOrRange": "1"}, {"action": "Allow"}]}},
            ("networkRuleSet.ipRules[1].iPAddressOrRange", "required property is missing"),
        ),
    ],
)
def test_a_problem_is_named_by_its_path(change, problem):
    assert check(ACCOUNT, {**GOOD_ACCOUNT, **change}) == [problem]


def test_the_type_of_an_activity_tells_what_else_it_may_have():
    activities = [
        {"name": "run", "type": "DatabricksJob", "jobId": "1", "policy": {"secureInput": True}},
        {"name": "no job", "type": "DatabricksJob", "notebookPath": "/x"},
        {"name": "no type"},
        {"name": "no such type", "type": "Nope"},
    ]
    found = check(PIPELINE, {"resourceGroupName": "rg", "factoryName": "f", "activities": activities})
    assert [path for path, _ in found] == [
        "activities[1].notebookPath",
        "activities[1].jobId",
        "activities[2].type",
        "activities[3].type",
    ]
    assert found[3][1].startswith("'Nope' is none of AppendVariable, ")


def test_an_activity_whose_type_is_unknown_cannot_be_judged():
    activities = [{"name": "run", "type": UNKNOWN, "jobId": "1"}]
    assert check(PIPELINE, {"resourceGroupName": "rg", "factoryName": "f", "activities": activities}) == []


def test_text_is_no_asset():
    problem = ("source", "'x' is not of type pulumi.Archive or pulumi.Asset")
    blob = {"resourceGroupName": "rg", "accountName": "a", "containerName": "c", "source": "x"}
    assert check("azure-native:storage:Blob", blob) == [problem]


def test_an_integer_is_no_fraction_and_no_truth_value():
    assert check(JOB, {**GOOD_JOB, "maxConcurrentRuns": 1.5}) == [("maxConcurrentRuns", "1.5 is not of type int")]
    assert check(JOB, {**GOOD_JOB, "maxConcurrentRuns": True}) == [("maxConcurrentRuns", "True is not of type int")]


@given(st.data())
def test_what_is_unknown_or_an_asset_is_no_problem(data):
    inputs, token = data.draw(st.sampled_from([(GOOD_ACCOUNT, ACCOUNT), (GOOD_JOB, JOB)]))
    path = data.draw(st.sampled_from(list(places(inputs))))
    asset = {properties.SIGNATURE: "c44067f5952c0a294b673a41bacd8c17", "text": "x"}
    assert check(token, put(inputs, path, data.draw(st.sampled_from([UNKNOWN, asset])))) == []


@given(st.data())
def test_a_misspelt_property_is_found_wherever_it_is(data):
    inputs, token = data.draw(st.sampled_from([(GOOD_ACCOUNT, ACCOUNT), (GOOD_JOB, JOB)]))
    outer = data.draw(
        st.sampled_from([p for p in [(), *places(inputs)] if isinstance(at(inputs, p), dict) and p != ("tags",)])
    )
    found = check(token, put(inputs, (*outer, "misspelt"), 1))
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in (*outer, "misspelt")).lstrip(".")
    assert found == [(path, "unknown property")]


def test_what_the_cloud_alone_sets_is_known_from_the_sdk():
    assert {"name", "primaryEndpoints", "provisioningState"} <= properties.computed_names(ACCOUNT)
    assert "sku" not in properties.computed_names(ACCOUNT)


@given(objects)
def test_values_pass_the_wire_unchanged(value):
    assert from_struct(to_struct(value)) == value


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ({properties.SIGNATURE: properties.SECRET, "value": "s"}, "s"),
        ({properties.SIGNATURE: properties.OUTPUT, "value": 3}, 3),
        ({properties.SIGNATURE: properties.OUTPUT, "dependencies": ["urn"]}, UNKNOWN),
        ("1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", UNKNOWN),
        (3.5, 3.5),
    ],
)
def test_the_wire_s_wrappings_are_taken_off(sent, received):
    struct = struct_pb2.Struct()
    struct.update({"a": [sent]})
    assert from_struct(struct) == {"a": [received]}


@given(objects, objects)
def test_nothing_differs_from_itself_and_a_difference_seen_from_the_other_side_is_its_opposite(old, new):
    assert list(differences(old, copy.deepcopy(old))) == []
    opposite = {"ADD": "DELETE", "DELETE": "ADD", "UPDATE": "UPDATE"}
    there = {(path, change) for path, change, _, _ in differences(old, new)}
    back = {(path, opposite[change]) for path, change, _, _ in differences(new, old)}
    assert there == back


def test_differences_have_paths_kinds_and_values():
    old = {"tags": {"a": "1", "b.c": "2"}, "rules": [{"n": 1}], "gone": True, "same": None}
    new = {"tags": {"a": "1", "b.c": "3"}, "rules": [{"n": 1}, {"n": 2}], "unknown": UNKNOWN}
    assert list(differences(old, new)) == [
        ("gone", "DELETE", True, None),
        ("rules[1]", "ADD", None, {"n": 2}),
        ('tags["b.c"]', "UPDATE", "2", "3"),
        ("unknown", "ADD", None, UNKNOWN),
    ]


def test_what_is_unknown_shows_however_deep():
    assert properties.has_unknown({"a": [{"b": UNKNOWN}]})
    assert not properties.has_unknown({"a": [{"b": "known"}], "c": None})
