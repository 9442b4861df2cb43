"""The cluster, and what runs in it: hardened, every pod of it."""

import json

import pytest
import yaml

from components.aks_cluster import AksArgs, system_pool
from components.kubernetes.pod import fingerprint
from components.vm_sizes import AksError


@pytest.fixture(scope="module")
def pods(stacks):
    """Name → spec of every pod of the stack `prod`."""
    prod = stacks["prod"]
    found = {r.inputs["metadata"]["name"]: r.inputs["spec"]["template"]["spec"] for r in prod.of("apps/v1:Deployment")}
    job = prod.one("CronJob")
    return found | {job["metadata"]["name"]: job["spec"]["jobTemplate"]["spec"]["template"]["spec"]}


def test_the_cluster_follows_the_recommendations(stacks):
    cluster = stacks["prod"].one("ManagedCluster")
    assert cluster["kubernetesVersion"] == "1.35"
    assert cluster["sku"] == {"name": "Base", "tier": "Standard"}
    assert cluster["disableLocalAccounts"] is True
    assert cluster["aadProfile"] == {"managed": True, "enableAzureRBAC": True}
    assert cluster["oidcIssuerProfile"] == {"enabled": True}
    assert cluster["securityProfile"]["workloadIdentity"] == {"enabled": True}
    assert cluster["addonProfiles"] == {
        "azurepolicy": {"enabled": True},
        "azureKeyvaultSecretsProvider": {
            "enabled": True,
            "config": {"enableSecretRotation": "true", "rotationPollInterval": "2m"},
        },
    }
    assert cluster["autoUpgradeProfile"] == {"upgradeChannel": "patch", "nodeOSUpgradeChannel": "NodeImage"}
    network = cluster["networkProfile"]
    assert [network[key] for key in ("networkPlugin", "networkPluginMode", "networkDataplane", "networkPolicy")] == [
        *("azure", "overlay", "cilium", "cilium")
    ]


def test_the_system_pool_is_that_of_the_original_with_an_ephemeral_disk_that_fits():
    assert system_pool(AksArgs(version="1.35", tier="Free", vm_size="Standard_D2s_v3", nodes=2)) == {
        "name": "system",
        "mode": "System",
        "type": "VirtualMachineScaleSets",
        "count": 2,
        "vm_size": "Standard_D2s_v3",
        "os_type": "Linux",
        "os_sku": "AzureLinux",
        "os_disk_type": "Ephemeral",
        "os_disk_size_gb": 48,
        "max_pods": 110,
        "node_taints": ["CriticalAddonsOnly=true:NoSchedule"],
        "upgrade_settings": {"max_surge": "33%"},
    }


def test_zones_are_set_where_the_settings_name_some():
    args = AksArgs(version="1.35", tier="Free", vm_size="Standard_D2s_v3", nodes=3, zones=("3", "1"))
    assert system_pool(args)["availability_zones"] == ["1", "3"]


def test_a_size_whose_cache_is_not_known_is_refused():
    with pytest.raises(AksError, match=r"^aks\.vm_size: 'Standard_B2s' is not in the table of sizes: "):
        AksArgs(version="1.35", tier="Free", vm_size="Standard_B2s", nodes=2)


def test_the_api_server_answers_the_allow_list_only(stacks):
    profile = stacks["dev"].one("ManagedCluster")["apiServerAccessProfile"]
    assert profile == {"disableRunCommand": True, "authorizedIPRanges": ["203.0.113.0/24"]}


def test_our_pods_have_pools_of_their_own(stacks, changed):
    pools = {r.inputs["agentPoolName"]: r.inputs for r in stacks["prod"].of("AgentPool")}
    assert sorted(pools) == ["spot", "user"]
    assert all(pool["mode"] == "User" and pool["enableAutoScaling"] is True for pool in pools.values())
    assert [pools["user"][key] for key in ("vmSize", "minCount", "maxCount")] == ["Standard_D4s_v3", 3, 9]
    assert pools["user"]["availabilityZones"] == ["1", "2", "3"]
    assert "nodeTaints" not in pools["user"]
    assert pools["spot"]["scaleSetPriority"] == "Spot"
    assert pools["spot"]["nodeTaints"] == ["kubernetes.azure.com/scalesetpriority=spot:NoSchedule"]
    assert [r.inputs["agentPoolName"] for r in changed["dev"].of("AgentPool")] == ["user"]


def test_what_may_be_stopped_runs_on_spot_nodes_too(pods):
    assert pods["validation"]["tolerations"][0]["key"] == "kubernetes.azure.com/scalesetpriority"
    assert "tolerations" not in pods["grafana"]


def test_a_pool_of_an_unknown_size_is_refused_by_its_setting(record):
    with pytest.raises(AksError, match=r"^aks\.spot\.vm_size: 'Standard_B2s' is not in the table"):
        record("dev", aks={"spot": {"vm_size": "Standard_B2s", "fewest": 0, "most": 1}})


def test_azure_maintains_the_cluster_on_days_of_their_own(stacks):
    days = {
        r.inputs["configName"]: r.inputs["maintenanceWindow"]["schedule"]["weekly"]["dayOfWeek"]
        for r in stacks["prod"].of("MaintenanceConfiguration")
    }
    assert days == {"aksManagedAutoUpgradeSchedule": "Saturday", "aksManagedNodeOSUpgradeSchedule": "Sunday"}


def test_the_four_pods_are_there(pods):
    assert sorted(pods) == ["grafana", "prometheus", "pushgateway", "validation"]


@pytest.mark.parametrize("name", ["grafana", "prometheus", "pushgateway", "validation"])
def test_every_pod_may_do_nothing_that_it_need_not(pods, name):
    spec = pods[name]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert set(container["resources"]["limits"]) == set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert ":" in container["image"]
        assert not container["image"].endswith(":latest")
        volumes = {volume["name"] for volume in spec["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_the_namespace_admits_hardened_pods_only_and_is_closed_to_others(stacks):
    prod = stacks["prod"]
    labels = prod.inputs("namespace-namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert prod.one("NetworkPolicy")["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {}}]}],
    }


def test_services_select_their_pods_and_stay_inside(stacks):
    services = {r.inputs["metadata"]["name"]: r.inputs["spec"] for r in stacks["local"].of("Service")}
    assert {name: (spec["ports"][0]["port"], spec["type"]) for name, spec in services.items()} == {
        "grafana-service": (3000, "ClusterIP"),
        "prometheus-service": (9090, "ClusterIP"),
        "pushgateway-service": (9091, "ClusterIP"),
    }
    labels = {r.inputs["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] for r in
              stacks["local"].of("apps/v1:Deployment")}  # fmt: skip
    assert {spec["selector"]["app.kubernetes.io/name"] for spec in services.values()} == labels


def test_prometheus_scrapes_the_pushgateway_by_its_service(stacks):
    local = stacks["local"]
    config = yaml.safe_load(local.inputs("prometheus-config")["data"]["prometheus.yml"])
    (scrape,) = config["scrape_configs"]
    assert scrape["honor_labels"] is True
    (target,) = scrape["static_configs"][0]["targets"]
    ports = {r.inputs["metadata"]["name"]: r.inputs["spec"]["ports"][0]["port"] for r in local.of("Service")}
    assert target == f"pushgateway-service:{ports['pushgateway-service']:.0f}"


def test_grafana_has_no_account_and_no_password(pods):
    (container,) = pods["grafana"]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert environment["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert not [name for name in environment if "PASSWORD" in name]


def test_grafana_is_provisioned_with_the_data_source_that_dashboards_name(stacks):
    local = stacks["local"]
    (source,) = yaml.safe_load(local.inputs("grafana-provisioning")["data"]["datasources.yml"])["datasources"]
    assert source["url"] == local.outputs["prometheus_url"]
    board = json.loads(local.inputs("grafana-dashboards")["data"]["pipeline-processing-time.json"])
    named = {panel["datasource"]["uid"] for panel in board["panels"] if panel["type"] != "row"}
    assert named == {source["uid"]}


def test_a_changed_configuration_rolls_the_pod_out_again():
    assert fingerprint({"a": "1", "b": "2"}) == fingerprint({"b": "2", "a": "1"})
    assert fingerprint({"a": "1"}) != fingerprint({"a": "2"})


def test_the_validation_pod_signs_in_by_a_token_made_for_databricks(pods, stacks):
    spec = pods["validation"]
    (token,) = [volume for volume in spec["volumes"] if volume["name"] == "token"]
    assert token["projected"]["sources"] == [
        {"serviceAccountToken": {"audience": "databricks", "expirationSeconds": 3600, "path": "token"}}
    ]
    environment = {each["name"]: each["value"] for each in spec["containers"][0]["env"]}
    assert environment["DATABRICKS_HOST"] == stacks["prod"].outputs["databricks_host"]
    assert environment["DATABRICKS_OIDC_TOKEN_FILEPATH"] == "/var/run/secrets/databricks/token"


def test_the_configuration_of_clients_is_secret(stacks):
    (provider,) = [r for r in stacks["dev"].resources if r.type == "pulumi:providers:kubernetes"]
    secret_sign = "4dabf18193072939515e22adb298388d"
    assert provider.inputs["kubeconfig"][secret_sign] == "1b47061264138c4ac30d75fd1eb44270"
