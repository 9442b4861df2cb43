"""The simulated Azure's Cosmos DB accounts for Apache Cassandra, with keyspaces and tables. No row is kept anywhere.

Sources: https://learn.microsoft.com/rest/api/cosmos-db-resource-provider/,
https://learn.microsoft.com/azure/cosmos-db/cassandra/support, https://learn.microsoft.com/azure/cosmos-db/concepts-limits
"""

import base64
import hashlib
from typing import Any

from simulator import azure_rules as rules
from simulator.azure_network import served
from simulator.azure_rules import GROUP, PLACE, refuse, text, wrong
from simulator.kinds import Kind
from simulator.state import Cloud, Resource

ACCOUNT_TYPE = "azure-native:cosmosdb:DatabaseAccount"
TABLE_TYPE = "azure-native:cosmosdb:CassandraResourceCassandraTable"
ACCOUNT = GROUP + "/providers/Microsoft.DocumentDB/databaseAccounts/{accountName}"
KEYSPACE = ACCOUNT + "/cassandraKeyspaces/{keyspaceName}"
CQL_NAME = r"[A-Za-z]\w{0,47}"
CASSANDRA, SERVERLESS = "EnableCassandra", "EnableServerless"
CQL_TYPES = (
    *("ascii", "bigint", "blob", "boolean", "counter", "date", "decimal", "double", "float", "inet", "int", "smallint"),
    *("text", "time", "timestamp", "timeuuid", "tinyint", "uuid", "varchar", "varint"),
    *("frozen", "list", "map", "set", "tuple"),
)
STEP, LEAST = 1000, 1000  # request units a second, of autoscale
MOST_SHARING = 25  # tables that share the throughput of a keyspace
KEYS = ("primaryMasterKey", "primaryReadonlyMasterKey", "secondaryMasterKey", "secondaryReadonlyMasterKey")


def capabilities(account: Resource) -> set[str]:
    """What an account can do beside the rest."""
    return {text(capability, "name") for capability in account.inputs.get("capabilities") or ()}


def account_keys(account: Resource) -> dict[str, str]:
    """The keys of an account, which follow from its id; no real cloud knows them."""
    digests = {name: hashlib.sha512(f"simulated {name} of {account.key}".encode()).digest() for name in KEYS}
    return {name: base64.b64encode(digest).decode() for name, digest in digests.items()}


def _account(cloud: Cloud, resource: Resource) -> None:
    asked = resource.inputs
    if rules.taken(cloud, resource, "accountName"):
        message = f"The Database Account {asked['accountName']} is not available: it is in use already."
        raise refuse(409, "Conflict", message)
    places = asked["locations"]
    order = sorted(place.get("failoverPriority", 0) for place in places)
    if not places or order != list(range(len(places))):
        raise wrong(resource, "locations", "there must be some, with failover priorities from 0, each its own.")
    has = capabilities(resource)
    if SERVERLESS in has and len(places) > 1:
        raise wrong(resource, "locations", "a serverless account has one region only.")
    if CASSANDRA in has and asked.get("minimalTlsVersion", "Tls12") != "Tls12":
        raise wrong(resource, "minimalTlsVersion", "Cassandra works with Tls12 only.")
    old = cloud.get(resource.key)
    if old and capabilities(old) != has:
        raise wrong(resource, "capabilities", "the kind of API and serverless can be chosen for a new account only.")
    if asked.get("virtualNetworkRules") and not asked.get("isVirtualNetworkFilterEnabled"):
        message = "rules are of no use while isVirtualNetworkFilterEnabled is off."
        raise wrong(resource, "virtualNetworkRules", message)
    for rule in asked.get("virtualNetworkRules") or ():
        served(cloud, resource, "virtualNetworkRules", text(rule, "id"), "Microsoft.AzureCosmosDB")


def _throughput(resource: Resource, account: Resource) -> None:
    options = resource.inputs.get("options") or {}
    scales = (options.get("autoscaleSettings") or {}).get("maxThroughput")
    if SERVERLESS in capabilities(account) and (options.get("throughput") or scales):
        message = "Setting offer throughput or autopilot on container is not supported for serverless accounts."
        raise wrong(resource, "options", message)
    if options.get("throughput") and scales:
        raise wrong(resource, "options", "throughput and autoscaleSettings exclude each other.")
    if scales is not None and (scales < LEAST or scales % STEP):
        raise wrong(resource, "options", f"maxThroughput {scales} is not {LEAST} or more in steps of {STEP}.")


def _named_alike(resource: Resource, name: str) -> None:
    if resource.inputs["resource"]["id"] != resource.inputs[name]:
        message = f"'{resource.inputs['resource']['id']}' must be the {name}, '{resource.inputs[name]}'."
        raise wrong(resource, "resource.id", message)


def _keyspace(cloud: Cloud, resource: Resource) -> None:
    account = cloud.get(resource.parent)
    assert account is not None, "a parent is there"
    if CASSANDRA not in capabilities(account):
        raise wrong(resource, "accountName", f"{account.id} is no account for Cassandra: it lacks {CASSANDRA}.")
    _named_alike(resource, "keyspaceName")
    _throughput(resource, account)


def _table(cloud: Cloud, resource: Resource) -> None:
    keyspace = cloud.get(resource.parent)
    account = keyspace and cloud.get(keyspace.parent)
    assert keyspace is not None and account is not None, "parents are there"
    _named_alike(resource, "tableName")
    _throughput(resource, account)
    _schema(resource)
    lives = resource.inputs["resource"].get("defaultTtl")
    if lives is not None and lives < -1:
        raise wrong(resource, "defaultTtl", f"{lives} is neither seconds nor -1 (no end).")
    siblings = [child for child in cloud.children(keyspace.key) if child.type == TABLE_TYPE]
    shares = keyspace.inputs.get("options") and not resource.inputs.get("options")
    if shares and resource.key not in {child.key for child in siblings} and len(siblings) >= MOST_SHARING:
        message = f"a keyspace with throughput of its own has {MOST_SHARING} tables that share it, and no more."
        raise wrong(resource, "keyspaceName", message)
    old = cloud.get(resource.key)
    if old and _keys(old) != _keys(resource):
        raise wrong(resource, "schema", "the primary key of a table cannot be changed.")


def _keys(table: Resource) -> list[str]:
    schema = table.inputs["resource"].get("schema") or {}
    return [text(key, "name") for part in ("partitionKeys", "clusterKeys") for key in schema.get(part) or ()]


def _schema(resource: Resource) -> None:
    schema = resource.inputs["resource"].get("schema") or {}
    columns = [text(column, "name") for column in schema.get("columns") or ()]
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise wrong(resource, "schema.columns", f"the column '{twice}' is there twice.")
    for column in schema.get("columns") or ():
        type_ = text(column, "type")
        if type_.partition("<")[0] not in CQL_TYPES:
            raise wrong(resource, "schema.columns", f"'{type_}' of '{text(column, 'name')}' is no type of CQL 3.11.")
    if not schema.get("partitionKeys"):
        raise wrong(resource, "schema.partitionKeys", "there must be at least one column.")
    keys = _keys(resource)
    if strange := sorted(set(keys) - set(columns)):
        raise wrong(resource, "schema", f"'{strange[0]}' of the primary key is no column.")
    for key in schema.get("clusterKeys") or ():
        if text(key, "orderBy").lower() not in ("asc", "desc"):
            raise wrong(resource, "schema.clusterKeys", f"orderBy '{text(key, 'orderBy')}' is neither Asc nor Desc.")


def _account_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    name = resource.inputs["accountName"]
    return {**rules.tracked(cloud, resource), "documentEndpoint": f"https://{name}.documents.azure.com:443/"}


KINDS = (
    Kind(
        ACCOUNT_TYPE,
        ACCOUNT,
        naming={"accountName": r"(?=.{3,44}$)[a-z0-9][a-z0-9-]*[a-z0-9]"},
        replace=(*PLACE, "accountName", "kind", "createMode"),
        rules=_account,
        outputs=_account_outputs,
        computed=("identity",),
    ),
    Kind(
        "azure-native:cosmosdb:CassandraResourceCassandraKeyspace",
        KEYSPACE,
        naming={"keyspaceName": CQL_NAME},
        replace=("resourceGroupName", "accountName", "keyspaceName"),
        rules=_keyspace,
        outputs=rules.common,
    ),
    Kind(
        TABLE_TYPE,
        KEYSPACE + "/tables/{tableName}",
        naming={"tableName": CQL_NAME},
        replace=("resourceGroupName", "accountName", "keyspaceName", "tableName"),
        rules=_table,
        outputs=rules.common,
    ),
)
