"""What each type of resource costs: quantities and dollars computed by hand, from the prices of the table."""

import pytest

from policies.pricing import stack
from policies.pricing.estimate import changes
from policies.pricing.factory import recurrences
from policies.pricing.resources import Resource, Resources
from policies.pricing.usage import Usage

DAILY = {"quartzCronExpression": "0 0 2 * * ?", "pauseStatus": "UNPAUSED"}
MONTH = 365 / 12  # days
PREMIUM = Resource("azure-native:databricks:Workspace", "workspace", {"sku": {"name": "premium"}}, "urn:workspace")


def resource(type_, called="it", needs=(), /, **inputs):
    return Resource(type_, called, inputs, f"urn:{called}", tuple(f"urn:{need}" for need in needs))


def lines(*resources, of=None, **usage):
    """Every line of the estimate, or those of one resource: what → (quantity, dollars a month)."""
    estimate = stack.price(Resources(resources), Usage.model_validate(usage))
    assert estimate.unpriced == ()
    of = of or resources[0].name
    return {item.what: (item.quantity, item.usd) for item in estimate.items if item.resource == of}


def refusal(*resources, **usage):
    """Why the first resource has no price."""
    (found,) = stack.price(Resources(resources), Usage.model_validate(usage)).unpriced
    assert found.resource == resources[0].name
    return found.why


def about(**expected):
    return {name.replace("_", " "): pytest.approx(value, abs=0.005) for name, value in expected.items()}


def cluster(**more):
    return {"nodeTypeId": "Standard_DS3_v2", "numWorkers": 2} | more


def job(needs=(), schedule=None, **more):
    clusters = [{"jobClusterKey": "main", "newCluster": cluster(**more)}]
    extra = {"schedule": schedule} if schedule else {}
    return resource("databricks:index/job:Job", "job", needs, name="logs", jobClusters=clusters, **extra)


# --- Databricks

FIVE_MINUTES = {"minutes_a_run": {"logs": 60}, "runs_by_hand": {"logs": 0}, "start_minutes": 6}


def test_a_scheduled_job_costs_vms_and_dbu_for_its_runs():
    found = lines(job(schedule=DAILY), jobs=FIVE_MINUTES)
    assert found == {
        "VMs Standard_DS3_v2": pytest.approx((3 * MONTH * 1.1, 3 * MONTH * 1.1 * 0.229)),
        "DBU premium jobs": pytest.approx((3 * 0.75 * MONTH, 3 * 0.75 * MONTH * 0.30)),
    }


def test_a_paused_schedule_runs_by_hand_only():
    paused = DAILY | {"pauseStatus": "PAUSED"}
    assert lines(job(schedule=paused), jobs=FIVE_MINUTES)["DBU premium jobs"] == (0, 0)
    by_hand = FIVE_MINUTES | {"runs_by_hand": {"logs": 10}}
    assert lines(job(schedule=paused), jobs=by_hand)["DBU premium jobs"] == pytest.approx((22.5, 6.75))


def test_a_spot_cluster_keeps_its_driver_and_what_else_is_firm():
    spot = {"availability": "SPOT_WITH_FALLBACK_AZURE", "firstOnDemand": 1}
    by_hand = {"minutes_a_run": {"logs": 60}, "runs_by_hand": {"logs": 100}, "start_minutes": 0}
    found = lines(job(azureAttributes=spot), jobs=by_hand)
    assert found["VMs Standard_DS3_v2"] == pytest.approx((100, 22.9))
    assert found["spot VMs Standard_DS3_v2"] == pytest.approx((200, 9.16))
    assert found["DBU premium jobs"] == pytest.approx((225, 67.5))
    found = lines(job(azureAttributes=spot | {"firstOnDemand": 2}), jobs=by_hand)
    assert (found["VMs Standard_DS3_v2"][0], found["spot VMs Standard_DS3_v2"][0]) == (200, 100)
    assert lines(job(azureAttributes=spot | {"firstOnDemand": 0}), jobs=by_hand)["spot VMs Standard_DS3_v2"][0] == 300


def test_a_cluster_that_scales_has_the_workers_in_the_middle():
    found = lines(job(autoscale={"minWorkers": 1, "maxWorkers": 8}, numWorkers=None), jobs=FIVE_MINUTES)
    assert found["DBU premium jobs"] == (0, 0)
    once = {"minutes_a_run": {"logs": 60}, "runs_by_hand": {"logs": 1}, "start_minutes": 0}
    found = lines(job(autoscale={"minWorkers": 1, "maxWorkers": 8}, numWorkers=None), jobs=once)
    assert found["VMs Standard_DS3_v2"][0] == 5.5


def test_a_driver_of_its_own_kind_uses_its_own_dbu():
    once = {"minutes_a_run": {"logs": 60}, "runs_by_hand": {"logs": 1}, "start_minutes": 0}
    found = lines(job(driverNodeTypeId="Standard_D8s_v3"), jobs=once)
    assert found["VMs Standard_D8s_v3"] == pytest.approx((1, 0.384))
    assert found["VMs Standard_DS3_v2"] == pytest.approx((2, 0.458))
    assert found["DBU premium jobs"][0] == 1.5 + 2 * 0.75


def test_a_continuous_job_runs_all_the_time():
    stream = resource(
        "databricks:index/job:Job",
        name="stream",
        jobClusters=[{"newCluster": cluster(numWorkers=0)}],
        continuous={"pauseStatus": "UNPAUSED"},
    )
    assert lines(stream)["VMs Standard_DS3_v2"] == pytest.approx((730, 167.17))


def test_the_tier_of_the_workspace_sets_the_price_of_a_dbu():
    standard = resource("azure-native:databricks:Workspace", "w", sku={"name": "standard"})
    once = {"minutes_a_run": {"logs": 60}, "runs_by_hand": {"logs": 10}}
    assert lines(job(), standard, jobs=once)["DBU standard jobs"] == pytest.approx((22.5, 3.375))
    trial = resource("azure-native:databricks:Workspace", "w", sku={"name": "trial"})
    assert refusal(job(), trial) == "the workspace's tier is trial: standard and premium have prices"


def test_an_interactive_cluster_is_up_for_people_and_for_notebooks_of_pipelines():
    shared = resource(
        "databricks:index/cluster:Cluster", "cluster", ["workspace"], autoterminationMinutes=30, **cluster()
    )
    chain = resource(
        "azure-native:datafactory:Pipeline",
        "pipeline-logs",
        ["service"],
        activities=[{"type": "DatabricksNotebook"}] * 4,
    )
    service = resource("azure-native:datafactory:LinkedService", "service", ["cluster"])
    trigger = resource(
        "azure-native:datafactory:Trigger",
        "trigger",
        ["pipeline-logs"],
        properties={"type": "ScheduleTrigger", "recurrence": {"frequency": "Day", "interval": 1}},
    )
    usage = {
        "interactive": {"hours_a_month": 20},
        "jobs": {"minutes_a_run": {"logs": 30}},
        "factory": {"triggers_run": True},
    }
    parts = (shared, chain, service, trigger, PREMIUM)
    hours = 20 + MONTH
    found = lines(*parts, **usage)
    assert found["VMs Standard_DS3_v2"] == pytest.approx((3 * hours, 3 * hours * 0.229))
    assert found["DBU premium all-purpose"] == pytest.approx((2.25 * hours, 2.25 * hours * 0.55))
    assert lines(*parts, of="pipeline-logs", **usage) == {
        "activity runs": pytest.approx((4 * MONTH / 1000, 4 * MONTH / 1000)),
        "time of Databricks activities": pytest.approx((MONTH / 2, MONTH / 2 * 0.00025)),
    }


def test_a_pipeline_starts_the_job_that_it_depends_on_and_no_cluster():
    pipeline = resource(
        "azure-native:datafactory:Pipeline", "pipeline-logs", ["job", "cluster"], activities=[{"type": "DatabricksJob"}]
    )
    shared = resource("databricks:index/cluster:Cluster", "cluster", **cluster())
    usage = {
        "factory": {"runs_by_hand": 10},
        "interactive": {"hours_a_month": 0},
        "jobs": {"minutes_a_run": {"logs": 60}, "runs_by_hand": {"logs": 0}, "start_minutes": 0},
    }
    assert lines(job(), pipeline, shared, **usage)["DBU premium jobs"][0] == pytest.approx(22.5)
    assert lines(job(), pipeline, shared, of="cluster", **usage)["DBU premium all-purpose"][0] == 0


def test_clusters_without_public_addresses_have_a_nat_gateway():
    assert lines(PREMIUM, network={"nat_gigabytes": 100}) == about(
        managed_NAT_gateway=(730, 32.85), its_public_IP=(730, 3.65), data_through_it=(100, 4.5)
    )
    own = resource("azure-native:databricks:Workspace", parameters={"customVirtualNetworkId": {"value": None}})
    assert lines(own) == {}


def test_nodes_with_public_addresses_pay_for_them():
    open_ = resource("azure-native:databricks:Workspace", "w", sku={"name": "premium"}, parameters={"enableNoPublicIp": {"value": False}})  # noqa: E501  # fmt: skip
    once = {"minutes_a_run": {"logs": 60}, "runs_by_hand": {"logs": 10}, "start_minutes": 0}
    assert lines(open_) == {}
    assert lines(job(), open_, jobs=once)["public IPs of nodes"] == pytest.approx((30, 0.15))


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        (job(runtimeEngine="PHOTON"), "Photon uses DBU at rates that policies/prices.toml does not have"),
        (job(nodeTypeId=None), "its node type is not known: an instance pool or a policy sets it"),
        (job(nodeTypeId="Standard_X"), "policies/prices.toml has no price 'vm Standard_X'"),
        (job(nodeTypeId="Standard_D2s_v3"), "policies/prices.toml does not say how many DBU Standard_D2s_v3 uses"),
        (
            job(schedule={"quartzCronExpression": "at noon"}),
            "'at noon' is no Quartz cron expression: it has six fields, or seven with a year",
        ),
        (
            resource("databricks:index/job:Job", tasks=[{"taskKey": "a"}]),
            "it has no cluster of its own: serverless compute or an existing cluster runs it",
        ),
    ],
)
def test_what_cannot_be_priced_says_why(declared, why):
    assert refusal(declared) == why


# --- Data Factory


@pytest.mark.parametrize(
    ("recurrence", "runs"),
    [
        ({"frequency": "Minute", "interval": 15}, 730 * 4),
        ({"frequency": "Hour", "interval": 6}, 730 / 6),
        ({"frequency": "Day", "interval": 1, "schedule": {"hours": [2, 14], "minutes": [0, 30]}}, 4 * MONTH),
        ({"frequency": "Week", "interval": 1, "schedule": {"weekDays": ["Monday", "Friday"]}}, 2 * MONTH / 7),
        ({"frequency": "Month", "interval": 1, "schedule": {"monthDays": [1, 15]}}, 2),
    ],
)
def test_recurrences_of_a_trigger(recurrence, runs):
    assert recurrences(recurrence) == pytest.approx(runs)


def test_storage_events_and_hands_start_pipelines_too():
    pipeline = resource("azure-native:datafactory:Pipeline", "pipeline-x", activities=[{"type": "Copy"}])
    trigger = resource(
        "azure-native:datafactory:Trigger", "t", ["pipeline-x"], properties={"type": "BlobEventsTrigger"}
    )
    usage = {"factory": {"runs_by_event": 900, "runs_by_hand": 100, "triggers_run": True}}
    assert lines(pipeline, trigger, **usage) == {"activity runs": (1, 1)}
    assert lines(pipeline, trigger, factory={"runs_by_hand": 100}) == {"activity runs": (0.1, 0.1)}
    window = resource(
        "azure-native:datafactory:Trigger", "w", ["pipeline-x"], properties={"type": "TumblingWindowTrigger"}
    )
    why = "how often the trigger w fires is not known (type TumblingWindowTrigger)"
    assert refusal(pipeline, window, factory={"triggers_run": True}) == why


def test_waiting_for_databricks_costs_more_in_a_managed_network():
    pipeline = resource("azure-native:datafactory:Pipeline", "x", activities=[{"type": "DatabricksJob"}])
    managed, usage = resource("azure-native:datafactory:IntegrationRuntime", "r"), {"factory": {"runs_by_hand": 8}}
    assert lines(pipeline, managed, **usage)["time of Databricks activities"] == (2, 2)


def test_a_factory_is_looked_at():
    usage = {"factory": {"entities": 50_000, "monitoring_records": 100_000}}
    assert lines(resource("azure-native:datafactory:Factory"), **usage) == {
        "definitions read and written": (1, 0.5),
        "records of runs looked at": (2, 0.5),
    }


# --- storage

LAKE = resource("azure-native:storage:StorageAccount", "lake", sku={"name": "Standard_LRS"}, isHnsEnabled=True)
LANDING = resource("azure-native:storage:BlobContainer", "c", ["lake"], containerName="landing")


def test_a_lake_is_touched_and_filled():
    usage = {"lake": {"write_operations": 200_000, "read_operations": 1_000_000, "gigabytes": {"landing": 1000}}}
    assert lines(LAKE, **usage) == about(writes=(20, 1.3), reads=(100, 0.52))
    assert lines(LANDING, LAKE, **usage) == about(hot_storage=(1000, 21))


def test_soft_delete_and_the_lifecycle_change_what_lies_there():
    service = resource(
        "azure-native:storage:BlobServiceProperties", "s", ["lake"], deleteRetentionPolicy={"enabled": True}
    )
    rule = {
        "definition": {
            "filters": {"prefixMatch": ["landing/", "reports/"]},
            "actions": {"baseBlob": {"tierToCool": {"daysAfterModificationGreaterThan": 30}}},
        }
    }
    policy = resource("azure-native:storage:ManagementPolicy", "p", ["lake"], policy={"rules": [rule]})
    usage = {"lake": {"gigabytes": {"landing": 1000, "gold": 1000}, "deleted_share": 0.1, "cool_share": 0.75}}
    parts = (LAKE, service, policy)
    assert lines(LANDING, *parts, **usage) == about(hot_storage=(275, 5.775), cool_storage=(825, 12.54))
    gold = resource("azure-native:storage:BlobContainer", "g", ["lake"], containerName="gold")
    assert lines(gold, *parts, **usage) == about(hot_storage=(1100, 23.1))


def test_redundancy_sets_the_price():
    zones = resource("azure-native:storage:StorageAccount", "lake", sku={"name": "Standard_ZRS"}, isHnsEnabled=True)
    assert lines(LANDING, zones, lake={"gigabytes": {"landing": 1000}}) == about(hot_storage=(1000, 26))
    assert lines(zones, lake={"write_operations": 100_000})["writes"] == pytest.approx((10, 0.813))


def test_other_accounts_have_no_price_here():
    flat = resource("azure-native:storage:StorageAccount", sku={"name": "Standard_LRS"})
    assert refusal(flat) == "only standard accounts with a hierarchical namespace have prices here"
    assert refusal(LANDING) == "its storage account is none of this stack's"


# --- Kubernetes


def aks(pool, tier="Free", **more):
    return resource(
        "azure-native:containerservice:ManagedCluster",
        "aks",
        sku={"name": "Base", "tier": tier},
        agentPoolProfiles=[{"name": "system", "count": 2, "vmSize": "Standard_D2s_v3", **pool}],
        **more,
    )


EPHEMERAL = {"osDiskType": "Ephemeral", "osDiskSizeGB": 48}
QUIET = {"network": {"load_balancer_gigabytes": 100}}


def test_a_cluster_pays_for_management_nodes_and_the_way_out():
    assert lines(aks(EPHEMERAL, "Standard"), **QUIET) == {
        "management, tier Standard": pytest.approx((730, 73)),
        "pool system: VMs Standard_D2s_v3": pytest.approx((1460, 140.16)),
        "load balancer": pytest.approx((730, 18.25)),
        "data through it": pytest.approx((100, 0.5)),
        "public IP to go out": pytest.approx((730, 3.65)),
    }


def test_managed_disks_of_nodes_are_paid_by_size():
    assert lines(aks({}))["pool system: disks"] == pytest.approx((2, 39.42))
    assert lines(aks({"osDiskSizeGB": 30}))["pool system: disks"] == pytest.approx((2, 10.56))


def test_a_way_out_by_the_network_needs_no_load_balancer_unless_a_service_does():
    profile = {"networkProfile": {"outboundType": "userAssignedNATGateway"}}
    assert set(lines(aks(EPHEMERAL, **profile))) == {"pool system: VMs Standard_D2s_v3"}
    service = resource("kubernetes:core/v1:Service", "web", spec={"type": "LoadBalancer"})
    assert "load balancer" in lines(aks(EPHEMERAL, **profile), service)
    assert lines(service) == about(public_IP=(730, 3.65))


def test_services_inside_cost_nothing():
    internal = {"annotations": {"service.beta.kubernetes.io/azure-load-balancer-internal": "true"}}
    assert lines(resource("kubernetes:core/v1:Service", spec={"type": "LoadBalancer"}, metadata=internal)) == {}
    assert lines(resource("kubernetes:core/v1:Service", spec={"type": "ClusterIP"})) == {}


def pool(**inputs):
    return resource(
        "azure-native:containerservice:AgentPool",
        agentPoolName="user",
        vmSize="Standard_D4s_v3",
        osDiskType="Ephemeral",
        **inputs,
    )


def test_pools_are_priced_at_their_smallest():
    scaling = {"enableAutoScaling": True, "maxCount": 5}
    assert lines(pool(count=2, minCount=1, **scaling)) == {
        "pool user: VMs Standard_D4s_v3": pytest.approx((730, 140.16))
    }
    none = lines(pool(minCount=0, scaleSetPriority="Spot", **scaling), kubernetes={"idle_pool_node_hours": 10})
    assert none == {"pool user: spot VMs Standard_D4s_v3": pytest.approx((10, 0.384))}


def test_volumes_are_disks():
    claim = {"resources": {"requests": {"storage": "100Gi"}}}
    assert lines(resource("kubernetes:core/v1:PersistentVolumeClaim", spec=claim)) == {"disks": (1, 9.6)}
    premium = claim | {"storageClassName": "managed-csi-premium"}
    stateful = resource(
        "kubernetes:apps/v1:StatefulSet", spec={"replicas": 3, "volumeClaimTemplates": [{"spec": premium}]}
    )
    assert lines(stateful) == {"disks": pytest.approx((3, 59.13))}
    files = resource("kubernetes:core/v1:PersistentVolumeClaim", spec=claim | {"storageClassName": "azurefile"})
    assert refusal(files) == "a volume of 100Gi in storage class 'azurefile' has no price here"


# --- network and services

FLAT = [
    (
        "azure-native:network:NatGateway",
        {},
        {"network": {"nat_gigabytes": 200}},
        about(NAT_gateway=(730, 32.85), data=(200, 9)),
    ),
    ("azure-native:network:PublicIPAddress", {}, {}, about(public_IP=(730, 3.65))),
    (
        "azure-native:network:PrivateEndpoint",
        {"privateLinkServiceConnections": [{"groupIds": ["dfs"]}]},
        {"network": {"endpoint_gigabytes": {"dfs": 300}}},
        about(private_endpoint=(730, 7.3), data=(300, 3)),
    ),
    (
        "azure-native:network:PrivateEndpoint",
        {"privateLinkServiceConnections": [{"groupIds": ["vault"]}]},
        {},
        about(private_endpoint=(730, 7.3), data=(1, 0.01)),
    ),
    (
        "azure-native:privatedns:PrivateZone",
        {},
        {"network": {"dns_queries": 2_000_000}},
        about(DNS_zone=(1, 0.5), queries=(2, 0.8)),
    ),
    ("azure-native:keyvault:Vault", {}, {"key_vault": {"operations": 100_000}}, about(operations=(10, 0.3))),
    (
        "azure-native:containerregistry:Registry",
        {"sku": {"name": "Premium"}},
        {"registry": {"gigabytes": 600, "build_vcpu_minutes": 100}},
        {
            "registry, tier Premium": pytest.approx((MONTH, 50.70), abs=0.005),
            "images": (100, 10),
            "builds": (6000, pytest.approx(0.6)),
        },
    ),
    (
        "azure-native:operationalinsights:Workspace",
        {"sku": {"name": "PerGB2018"}, "retentionInDays": 90},
        {"monitor": {"gigabytes_a_day": 1}},
        {
            "logs taken in": pytest.approx((MONTH, (MONTH - 5) * 2.3), abs=0.01),
            "logs kept": pytest.approx((59, 5.9)),
        },
    ),
    (
        "azure-native:operationalinsights:Workspace",
        {"workspaceCapping": {"dailyQuotaGb": 0.1}, "retentionInDays": 30},
        {"monitor": {"gigabytes_a_day": 1}},
        {"logs taken in": pytest.approx((MONTH / 10, 0))},
    ),
    ("azure-native:monitor:DiagnosticSetting", {"workspaceId": "w"}, {}, {}),
    (
        "azure-native:monitor:MetricAlert",
        {"criteria": {"allOf": [{}, {}]}, "scopes": ["a", "b"]},
        {},
        about(time_series=(4, 0.4)),
    ),
    ("azure-native:monitor:ScheduledQueryRule", {"evaluationFrequency": "PT1M"}, {}, {"rule": (1, 3.0)}),
    ("azure-native:monitor:ScheduledQueryRule", {"evaluationFrequency": "PT5M"}, {}, {"rule": (1, 1.5)}),
    ("azure-native:monitor:ScheduledQueryRule", {"evaluationFrequency": "PT1H"}, {}, {"rule": (1, 0.5)}),
    (
        "azure-native:eventgrid:SystemTopic",
        {},
        {"lake": {"write_operations": 1_100_000}},
        about(events=(11, 0.6)),
    ),
]


@pytest.mark.parametrize(("type_", "inputs", "usage", "expected"), FLAT)
def test_the_network_and_services(type_, inputs, usage, expected):
    assert lines(resource(type_, **inputs), **usage) == expected


@pytest.mark.parametrize(
    ("type_", "inputs", "why"),
    [
        (
            "azure-native:containerregistry:Registry",
            {"sku": {"name": None}},
            "the tier None is none of Basic, Standard, Premium",
        ),
        (
            "azure-native:monitor:DiagnosticSetting",
            {"storageAccountId": "s"},
            "exports to storageAccountId are priced by the GB, which is not assumed",
        ),
        ("azure-native:monitor:ScheduledQueryRule", {}, "how often it is asked is not known ('')"),
        (
            "azure-native:operationalinsights:Workspace",
            {"sku": {"name": "CapacityReservation"}},
            "the tier CapacityReservation has no price here: only PerGB2018 has",
        ),
        ("azure-native:sql:Server", {}, "nobody has said what this type costs"),
    ],
)
def test_unknown_types_and_tiers_are_listed(type_, inputs, why):
    assert refusal(resource(type_, **inputs)) == why


def test_the_first_100_gigabytes_to_the_internet_are_free():
    def outbound(gigabytes):
        return stack.price(Resources(()), Usage.model_validate({"network": {"outbound_gigabytes": gigabytes}})).usd

    assert outbound(100) == 0
    assert outbound(150) == pytest.approx(4.35)


def test_what_could_be_priced_stays_beside_what_could_not():
    estimate = stack.price(Resources((aks({"vmSize": "Standard_X"}, "Standard"),)), Usage())
    assert [item.what for item in estimate.items][:2] == ["management, tier Standard", "load balancer"]
    assert [found.why for found in estimate.unpriced] == ["policies/prices.toml has no price 'vm Standard_X'"]


def test_free_types_are_counted_with_the_reason():
    group = "azure-native:resources:ResourceGroup"
    estimate = stack.price(Resources((resource(group, "a"), resource(group, "b"))), Usage())
    assert {type_: (count, free.why) for type_, (count, free) in estimate.free.items()} == {
        group: (2, "groups, names, identities, roles, locks and deployments")
    }


def test_a_change_is_told_line_by_line():
    before = stack.price(Resources((aks(EPHEMERAL),)), Usage())
    gateway = resource("azure-native:network:NatGateway", "nat")
    after = stack.price(Resources((aks(EPHEMERAL | {"count": 3}), gateway)), Usage())
    found = [(c.resource, c.what, round(c.before, 2), round(c.after, 2)) for c in changes(before, after)]
    assert found == [
        ("aks", "pool system: VMs Standard_D2s_v3", 140.16, 210.24),
        ("nat", "NAT gateway", 0, 32.85),
        ("nat", "data", 0, 2.25),
    ]
    assert changes(after, after) == []
