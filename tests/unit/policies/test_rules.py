"""Every rule: what breaks it, what does not, and what a value means that is unknown yet."""

from datetime import date

import pytest
from pulumi_policy import EnforcementLevel, Severity
from pulumi_policy.proxy import UNKNOWN_BOOLEAN_VALUE, UNKNOWN_STRING_VALUE, unknown_checking_proxy

from components import runtimes
from policies import cosmos, databricks, eventhub, storage, tags
from policies.__main__ import RULES
from policies.pricing import resources, stack, usage

ACCOUNT, CONTAINER, JOB = storage.ACCOUNT, storage.CONTAINER, databricks.JOB
COSMOS, EVENTS = cosmos.ACCOUNT, eventhub.NAMESPACE
GROUP = "azure-native:resources:ResourceGroup"
TAGS = {"environment": "dev", "managed-by": "pulumi-medallion-dev", "project": "medallion"}
BY_NAME = {rule.name: rule for rule in RULES}


def cluster(version):
    return {"jobClusters": [{"jobClusterKey": "main", "newCluster": {"sparkVersion": version}}], "tasks": []}


def check(rule, kind, properties):
    """The violations as the engine would have them found: unknown values raise when they are read."""
    return BY_NAME[rule].check(kind, unknown_checking_proxy(properties))


@pytest.mark.parametrize(
    ("rule", "kind", "properties", "message"),
    [
        (
            "storage-https-only",
            ACCOUNT,
            {"enableHttpsTrafficOnly": False},
            "enableHttpsTrafficOnly must be true: the account answers unencrypted requests",
        ),
        (
            "storage-https-only",
            ACCOUNT,
            {},
            "enableHttpsTrafficOnly must be true: the account answers unencrypted requests",
        ),
        (
            "storage-no-public-blobs",
            ACCOUNT,
            {"allowBlobPublicAccess": True},
            "allowBlobPublicAccess must be false: containers could be opened to anybody",
        ),
        (
            "storage-no-public-blobs",
            CONTAINER,
            {"containerName": "gold", "publicAccess": "Container"},
            "publicAccess must be None: anybody can read the container",
        ),
        (
            "storage-no-shared-key",
            ACCOUNT,
            {"allowSharedKeyAccess": True},
            "allowSharedKeyAccess must be false: whoever holds the account's key may do anything, unseen",
        ),
        (
            "databricks-supported-runtime",
            JOB,
            cluster("13.3.x-scala2.12"),
            "jobClusters[0].newCluster.sparkVersion '13.3.x-scala2.12' has been without support since 2026-08-22",
        ),
        (
            "databricks-supported-runtime",
            JOB,
            {"tasks": [{}, {"newCluster": {"sparkVersion": "15.3.x-scala2.12"}}]},
            "tasks[1].newCluster.sparkVersion '15.3.x-scala2.12' is not in the table of long-term-support runtimes",
        ),
        (
            "cosmos-not-open-to-all",
            COSMOS,
            {"publicNetworkAccess": "Enabled", "ipRules": []},
            "ipRules, virtualNetworkRules or publicNetworkAccess Disabled must close it: the account answers all",
        ),
        (
            "cosmos-tls",
            COSMOS,
            {"minimalTlsVersion": "Tls11"},
            "minimalTlsVersion must be Tls12: the account answers by protocols that can be broken",
        ),
        (
            "cosmos-key-changes-no-tables",
            COSMOS,
            {},
            "disableKeyBasedMetadataWriteAccess must be true: whoever holds the key may drop tables",
        ),
        (
            "eventhub-no-keys",
            EVENTS,
            {"disableLocalAuth": False},
            "disableLocalAuth must be true: whoever holds a key may send and read events, unseen",
        ),
        (
            "eventhub-tls",
            EVENTS,
            {"minimumTlsVersion": "1.1"},
            "minimumTlsVersion must be 1.2 or later: the namespace answers by protocols that can be broken",
        ),
        ("required-tags", GROUP, {"tags": {**TAGS, "project": ""}}, "the tag 'project' is missing"),
    ],
)
def test_what_breaks_a_rule(rule, kind, properties, message):
    assert check(rule, kind, properties) == [message]


@pytest.mark.parametrize(
    ("rule", "kind", "properties"),
    [
        ("storage-https-only", ACCOUNT, {"enableHttpsTrafficOnly": True}),
        ("storage-no-public-blobs", ACCOUNT, {"allowBlobPublicAccess": False}),
        ("storage-no-public-blobs", CONTAINER, {"containerName": "gold", "publicAccess": "None"}),
        ("storage-no-public-blobs", CONTAINER, {"containerName": "gold"}),
        ("storage-no-shared-key", ACCOUNT, {"allowSharedKeyAccess": False}),
        ("databricks-supported-runtime", JOB, cluster("17.3.x-scala2.13")),
        ("databricks-supported-runtime", JOB, {"tasks": [{"taskKey": "a"}]}),
        ("cosmos-not-open-to-all", COSMOS, {"ipRules": [{"ipAddressOrRange": "203.0.113.0/24"}]}),
        ("cosmos-not-open-to-all", COSMOS, {"isVirtualNetworkFilterEnabled": True}),
        ("cosmos-not-open-to-all", COSMOS, {"publicNetworkAccess": "Disabled"}),
        ("cosmos-tls", COSMOS, {"minimalTlsVersion": "Tls12"}),
        ("cosmos-key-changes-no-tables", COSMOS, {"disableKeyBasedMetadataWriteAccess": True}),
        ("eventhub-no-keys", EVENTS, {"disableLocalAuth": True}),
        ("eventhub-tls", EVENTS, {"minimumTlsVersion": "1.2"}),
        ("required-tags", GROUP, {"tags": {**TAGS, "team": "data"}}),
        ("required-tags", "azure-native:storage:BlobContainer", {}),
    ],
)
def test_what_keeps_a_rule(rule, kind, properties):
    assert check(rule, kind, properties) == []


@pytest.mark.parametrize(
    ("rule", "kind", "properties"),
    [
        ("storage-https-only", ACCOUNT, {"enableHttpsTrafficOnly": UNKNOWN_BOOLEAN_VALUE}),
        ("storage-no-public-blobs", ACCOUNT, {"allowBlobPublicAccess": UNKNOWN_BOOLEAN_VALUE}),
        ("storage-no-public-blobs", CONTAINER, {"containerName": "gold", "publicAccess": UNKNOWN_STRING_VALUE}),
        ("storage-no-shared-key", ACCOUNT, {"allowSharedKeyAccess": UNKNOWN_BOOLEAN_VALUE}),
        ("databricks-supported-runtime", JOB, cluster(UNKNOWN_STRING_VALUE)),
        ("cosmos-not-open-to-all", COSMOS, {"publicNetworkAccess": UNKNOWN_STRING_VALUE}),
        ("cosmos-tls", COSMOS, {"minimalTlsVersion": UNKNOWN_STRING_VALUE}),
        ("cosmos-key-changes-no-tables", COSMOS, {"disableKeyBasedMetadataWriteAccess": UNKNOWN_BOOLEAN_VALUE}),
        ("eventhub-no-keys", EVENTS, {"disableLocalAuth": UNKNOWN_BOOLEAN_VALUE}),
        ("eventhub-tls", EVENTS, {"minimumTlsVersion": UNKNOWN_STRING_VALUE}),
        ("required-tags", GROUP, {"tags": {**TAGS, "project": UNKNOWN_STRING_VALUE}}),
    ],
)
def test_an_unknown_value_is_judged_when_it_is_known(rule, kind, properties):
    assert check(rule, kind, properties) == []


def test_what_is_known_to_be_broken_is_told_though_another_value_is_unknown():
    properties = {"tags": {"managed-by": "x", "project": UNKNOWN_STRING_VALUE}}
    assert check("required-tags", GROUP, properties) == ["the tag 'environment' is missing"]


@pytest.mark.parametrize(("day", "broken"), [(date(2028, 10, 22), False), (date(2028, 10, 23), True)])
def test_a_runtime_is_supported_on_its_last_day(day, broken):
    ends = databricks.ends_of_support()
    assert bool(list(databricks.runtime_violations(cluster("17.3.x-scala2.13"), ends, day))) is broken


def test_policy_and_clusters_read_the_same_table():
    assert databricks.TABLE == runtimes.TABLE
    assert databricks.ends_of_support() == {r.key: r.end_of_support for r in runtimes.runtimes().values()}


def test_there_are_ten_rules_and_each_is_documented():
    assert sorted(BY_NAME) == [
        "cosmos-key-changes-no-tables",
        "cosmos-not-open-to-all",
        "cosmos-tls",
        "databricks-supported-runtime",
        "eventhub-no-keys",
        "eventhub-tls",
        "required-tags",
        "storage-https-only",
        "storage-no-public-blobs",
        "storage-no-shared-key",
    ]
    for rule in RULES:
        assert rule.link.startswith("https://")
        assert rule.sources
        assert isinstance(rule.severity, Severity)
        assert rule.description.endswith(".")


def test_the_engine_is_given_what_is_known_of_a_rule():
    policy = BY_NAME["storage-no-shared-key"].policy()
    assert policy.enforcement_level is EnforcementLevel.MANDATORY
    assert policy.severity is Severity.HIGH
    assert policy.description.endswith("(CKV2_AZURE_40)")
    assert policy.url == "https://learn.microsoft.com/azure/storage/common/shared-key-authorization-prevent"


def test_a_violation_reaches_the_engine_with_the_name_of_the_resource():
    class Arguments:
        resource_type, props, name = ACCOUNT, {"allowSharedKeyAccess": True}, "lake"

    told = []
    BY_NAME["storage-no-shared-key"].policy().validate(Arguments(), told.append)
    assert told == ["lake: allowSharedKeyAccess must be false: whoever holds the account's key may do anything, unseen"]


def test_every_type_that_a_rule_names_is_declared_by_the_program(stacks):
    declared = {resource.type for resource in stacks["prod"].resources}
    assert {kind for rule in RULES for kind in rule.types} <= declared


def test_every_declared_type_that_takes_tags_is_held_to_them(stacks):
    tagged = {r.type for r in stacks["prod"].resources if r.type.startswith("azure-native:") and "tags" in r.inputs}
    assert tagged == set(tags.TAGGED)


@pytest.mark.parametrize("name", ["local", "dev", "staging", "prod"])
def test_our_own_stacks_keep_every_rule(stacks, name):
    broken = [message for r in stacks[name].resources for rule in RULES for message in rule.check(r.type, r.inputs)]
    assert broken == []


@pytest.mark.parametrize("name", ["local", "dev", "staging", "prod"])
def test_all_that_our_own_stacks_declare_has_a_price_or_is_free(stacks, name):
    declared = [r for r in stacks[name].resources if not r.type.startswith(("medallion:", "pulumi:"))]
    found = resources.Resources(tuple(resources.Resource(r.type, r.name, r.inputs) for r in declared))
    assert stack.price(found, usage.Usage()).unpriced == ()
