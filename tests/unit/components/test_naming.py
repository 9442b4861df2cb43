"""Names: within the limits of every type, stable, and apart where they must be."""

import re
import string
import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from components.naming import RULES, Names, NamingError, check

first, last = (st.sampled_from(letters) for letters in (string.ascii_lowercase, string.ascii_lowercase + string.digits))
words = st.builds("".join, st.tuples(first, st.text(string.ascii_lowercase + string.digits + "-", max_size=60), last))
kinds = st.sampled_from(sorted(RULES))


@given(kind=kinds, project=words, stack=words, seed=st.uuids())
@example(kind="key_vault", project="a", stack="a--a", seed=uuid.UUID(int=0))
def test_every_generated_name_keeps_to_its_rule_and_is_the_same_in_every_run(kind, project, stack, seed):
    rule = RULES[kind]
    name = Names(project, stack, str(seed)).of(kind)
    assert rule.shortest <= len(name) <= rule.longest
    assert re.fullmatch(rule.pattern, name)
    assert Names(project, stack, str(seed)).of(kind) == name


@given(kind=kinds, project=words, one=st.uuids(), other=st.uuids())
def test_names_that_are_global_differ_between_subscriptions(kind, project, one, other):
    if RULES[kind].is_global and one != other:
        assert Names(project, "dev", str(one)).of(kind) != Names(project, "dev", str(other)).of(kind)


def test_names_of_a_usual_stack():
    names = Names("medallion", "dev", "11111111-2222-3333-4444-555555555555")
    suffix = names.suffix
    assert re.fullmatch(r"[0-9a-f]{6}", suffix)
    assert {kind: names.of(kind) for kind in RULES} == {
        "resource_group": "rg-medallion-dev",
        "databricks_resource_group": "rg-dbw-medallion-dev",
        "data_lake": f"stmedalliondev{suffix}",
        "lake_identity": "id-lake-medallion-dev",
        "aks_identity": "id-aks-medallion-dev",
        "workspace": "dbw-medallion-dev",
        "access_connector": "dbac-medallion-dev",
        "data_factory": f"adf-medallion-dev-{suffix}",
        "aks_cluster": "aks-medallion-dev",
        "jobs_identity": "id-jobs-medallion-dev",
        "pods_identity": "id-pods-medallion-dev",
        "deploy_identity": "id-deploy-medallion-dev",
        "key_vault": f"kv-medallion-dev-{suffix}",
        "container_registry": f"crmedalliondev{suffix}",
        "serving_store": f"coscas-medallion-dev-{suffix}",
        "event_stream": f"evhns-medallion-dev-{suffix}",
        "virtual_network": "vnet-medallion-dev",
        "network_security_group": "nsg-medallion-dev",
        "nat_gateway": "ng-medallion-dev",
        "public_ip": "pip-medallion-dev",
        "private_endpoint": "pep-medallion-dev",
        "log_workspace": "log-medallion-dev",
        "action_group": "ag-medallion-dev",
        "budget": "budget-medallion-dev",
    }


def test_long_names_that_begin_alike_stay_apart():
    one, other = (Names("medallion", "feature-" + "x" * 60 + end, "seed").of("aks_cluster") for end in "ab")
    assert one != other
    assert len(one) == len(other) == 63


@given(stack=words, one=words, other=words)
def test_several_of_a_kind_have_names_of_their_own_that_fit(stack, one, other):
    names = Names("medallion", stack, "seed")
    long = "databricks-workspace-browser-authentication-of-" + one
    found = [names.of("private_endpoint", what) for what in (long, one, other)]
    assert all(check("private_endpoint", name) for name in found)
    assert len(set(found)) == len({long, one, other})


def test_a_given_name_is_taken_as_it_is():
    names = Names("medallion", "dev", "seed", {"data_lake": "delogprocessingdatalake"})
    assert names.of("data_lake") == "delogprocessingdatalake"


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (
            "data_lake",
            "De-Lake",
            "names.data_lake: 'De-Lake' is refused; accepted are lower-case letters and digits",
        ),
        ("data_lake", "ab", "names.data_lake: 'ab' has 2 characters, not 3 to 24"),
        ("data_lake", "a" * 25, f"names.data_lake: {'a' * 25!r} has 25 characters, not 3 to 24"),
        (
            "resource_group",
            "ends-with-dot.",
            "names.resource_group: 'ends-with-dot.' is refused; accepted are letters, digits and _-.() (no dot last)",
        ),
        (
            "data_factory",
            "-adf",
            "names.data_factory: '-adf' is refused;"
            " accepted are letters, digits and -, a letter or digit first and last",
        ),
    ],
)
def test_a_name_that_azure_would_refuse_is_refused(kind, name, message):
    with pytest.raises(NamingError) as refused:
        Names("medallion", "dev", "seed", {kind: name})
    assert str(refused.value) == message


def test_an_unknown_kind_is_refused_by_name():
    with pytest.raises(NamingError, match=r"^names\.data_lakes: there is no such resource to name; there are "):
        check("data_lakes", "abc")
    with pytest.raises(NamingError, match=r"^names\.data_lakes: "):
        Names("medallion", "dev", "seed").of("data_lakes")


def test_guids_come_from_logical_names_alone():
    names = Names("medallion", "dev", "seed")
    one = names.guid("role-assignment", "lake-identity", "Reader")
    assert uuid.UUID(one).version == 5
    assert one == Names("medallion", "dev", "seed").guid("role-assignment", "lake-identity", "Reader")
    assert one != names.guid("role-assignment", "lake-identity", "Contributor")
    assert one != Names("medallion", "prod", "seed").guid("role-assignment", "lake-identity", "Reader")
