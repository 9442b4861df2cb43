"""What `medallion doctor` finds in a region: the SDK's own clients on recorded answers of Azure."""

import ast
import copy
import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.site import OWNER_TAG, owner
from medallion.demand import CLUSTER, PARTS, WORKSPACE, Address, Demand, Machines
from medallion.finding import Finding
from medallion.region import ADDRESSES, NAMESPACES, Answers, findings
from toolchain.errors import UserError

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
LOCATIONS = "providers/Microsoft.{}/locations/eastus"
QUESTIONS = {
    "providers": "providers",
    "resources": "resources",
    "providers/Microsoft.Compute/skus": "skus",
    f"{LOCATIONS.format('Compute')}/usages": "compute_usages",
    f"{LOCATIONS.format('Network')}/usages": "network_usages",
    f"{LOCATIONS.format('ContainerService')}/kubernetesVersions": "kubernetes_versions",
}
"""Path below the subscription → the file with the answer."""

SCOPE = f"--scope /subscriptions/{SUBSCRIPTION}/{LOCATIONS}"


def below(url):
    """The path below the subscription."""
    return urlparse(url).path.removeprefix(f"/subscriptions/{SUBSCRIPTION}/")


def wanted(workers=4, spot=False, nodes=3, zones=("1", "2", "3"), version="1.35"):
    """What a stack takes: a job cluster, and a cluster of Kubernetes."""
    size = ("databricks.node_type", "Standard_DS3_v2")
    return Demand(
        machines=(
            Machines("Databricks drivers", *size, 1, WORKSPACE),
            Machines("Databricks workers", *size, workers, WORKSPACE, spot=spot, falls_back=True),
            Machines("AKS system pool", "aks.vm_size", "Standard_D2s_v3", nodes, CLUSTER, zones),
        ),
        addresses=(Address("the way out of AKS", CLUSTER), Address("the way out of Databricks", WORKSPACE)),
        kubernetes=version,
    )


class Azure:
    """A subscription as recorded; tests change `documents`, then look for what the doctor finds."""

    def __init__(self, recorded, resource_manager):
        from medallion.azure import ask

        self.documents, self.status = copy.deepcopy(recorded), 200
        self.manager, self._ask = resource_manager(self.answer), ask

    def answer(self, method, url):
        assert method == "GET"
        page = "".join(parse_qs(urlparse(url).query).get("page", []))
        return self.status, self.documents[QUESTIONS[below(url)] + page]

    def ask(self, *about):
        return self._ask(*about, **self.manager.clients())

    def find(self, **changes):
        return findings(wanted(**changes), self.ask(SUBSCRIPTION, "eastus", "prod"))

    def wrong(self, **changes):
        """Name and text of what is not as it should be."""
        return [(each.name, each.text) for each in self.find(**changes) if not each.ok]

    def size(self, name):
        return next(each for each in self.documents["skus"]["value"] if each["name"] == name)

    def usage(self, name):
        usages = self.documents["compute_usages"]["value"] + self.documents["network_usages"]["value"]
        return next(each for each in usages if each["name"]["value"] == name)

    def provider(self, namespace):
        return next(each for each in self.documents["providers"]["value"] if each["namespace"] == namespace)


@pytest.fixture(scope="module")
def recorded():
    folder = Path(__file__).parent / "azure"
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}


@pytest.fixture
def azure(recorded, resource_manager):
    return Azure(recorded, resource_manager)


def test_a_subscription_that_has_all(azure):
    assert azure.find() == [
        Finding("Provider", True, "all 16 that are needed are registered"),
        Finding("VM size", True, "databricks.node_type: Standard_DS3_v2 is offered in eastus"),
        Finding("VM size", True, "aks.vm_size: Standard_D2s_v3 is offered in eastus, zones 1, 2, 3"),
        Finding("Quota", True, "cores: 26 needed, 96 of 100 free in eastus"),
        Finding("Quota", True, "standardDSv2Family: 20 needed, 100 of 100 free in eastus"),
        Finding("Quota", True, "standardDSv3Family: 6 needed, 6 of 10 free in eastus"),
        Finding("Quota", True, "IPv4StandardSkuPublicIpAddresses: 2 needed, 12 of 20 free in eastus"),
        Finding("Kubernetes", True, "1.35 is offered in eastus"),
    ]


def test_azure_is_asked_about_this_region_and_stack(azure):
    azure.find()
    asked = {below(url): parse_qs(urlparse(url).query) for _, url in azure.manager.asked}
    assert set(asked) == set(QUESTIONS)
    assert asked["providers/Microsoft.Compute/skus"]["$filter"] == ["location eq 'eastus'"]
    assert asked["resources"]["$filter"] == [f"tagName eq '{OWNER_TAG}' and tagValue eq '{owner('medallion', 'prod')}'"]


def test_a_size_that_is_not_offered(azure):
    azure.size("Standard_D2s_v3")["name"] = "Standard_D2s_v6"
    assert azure.wrong() == [
        (
            "VM size",
            "aks.vm_size: Standard_D2s_v3 is not offered in eastus: choose another;"
            " `az vm list-skus --location eastus --resource-type virtualMachines --output table` lists them",
        )
    ]


def test_a_size_that_is_closed_to_the_subscription(azure):
    azure.size("Standard_DS3_v2")["restrictions"] = [
        {
            "type": "Location",
            "values": ["eastus"],
            "restrictionInfo": {"locations": ["eastus"]},
            "reasonCode": "NotAvailableForSubscription",
        }
    ]
    ((name, text),) = azure.wrong()
    assert name == "VM size"
    assert text.startswith(
        "databricks.node_type: Standard_DS3_v2 is closed to this subscription in eastus (NotAvailableForSubscription):"
        " choose another, or ask for it, https://"
    )


@pytest.mark.parametrize(
    ("offered", "closed", "said"),
    [
        (["1", "2", "3"], ["3"], "zone 3 of eastus: aks.zones may be 1, 2 for this size"),
        (["2"], [], "zone 1, 3 of eastus: aks.zones may be 2 for this size"),
        ([], [], "zone 1, 2, 3 of eastus: aks.zones must be empty for this size"),
    ],
)
def test_a_size_that_some_zones_lack(azure, offered, closed, said):
    size = azure.size("Standard_D2s_v3")
    size["locationInfo"][0]["zones"] = offered
    size["restrictions"] = [
        {
            "type": "Zone",
            "values": ["eastus"],
            "restrictionInfo": {"locations": ["eastus"], "zones": closed},
            "reasonCode": "NotAvailableForSubscription",
        }
    ]
    assert azure.wrong() == [("VM size", f"aks.vm_size: Standard_D2s_v3 is not to be had in {said}")]
    assert azure.wrong(zones=()) == []


def test_too_few_vcpus_of_a_family_and_of_the_region(azure):
    azure.usage("standardDSv2Family").update(limit=10, currentValue=4)
    azure.usage("cores").update(limit=10)
    drivers, workers = "1 Standard_DS3_v2 (Databricks drivers)", "4 Standard_DS3_v2 (Databricks workers)"
    scope = SCOPE.format("Compute")
    assert azure.wrong() == [
        (
            "Quota",
            f"cores: 26 needed, 6 of 10 free in eastus, for {drivers}, {workers}, 3 Standard_D2s_v3 (AKS system pool):"
            f" az quota update --resource-name cores --resource-type dedicated --limit-object value=30 {scope}",
        ),
        (
            "Quota",
            f"standardDSv2Family: 20 needed, 6 of 10 free in eastus, for {drivers}, {workers}: az quota update"
            f" --resource-name standardDSv2Family --resource-type dedicated --limit-object value=24 {scope}",
        ),
    ]


def test_quotas_are_found_however_their_names_are_spelt(azure):
    azure.usage("standardDSv2Family")["name"]["value"] = "Standard DSV2 Family"
    azure.documents["compute_usages"]["value"].remove(azure.usage("standardDSv3Family"))
    assert Finding("Quota", True, "Standard DSV2 Family: 20 needed, 100 of 100 free in eastus") in azure.find()
    assert azure.wrong() == [
        (
            "Quota",
            "standardDSv3Family: Azure reports no such quota in eastus: az quota list " + SCOPE.format("Compute"),
        )
    ]


def test_spot_workers_count_as_such(azure):
    assert [each.text for each in azure.find(workers=2, spot=True) if each.name == "Quota"][:3] == [
        "lowPriorityCores: 8 needed, 100 of 100 free in eastus",
        "cores: 10 needed, 96 of 100 free in eastus",
        "standardDSv2Family: 4 needed, 100 of 100 free in eastus",
    ]


def test_without_a_spot_quota_workers_are_ordinary_machines(azure):
    azure.usage("lowPriorityCores").update(limit=3)
    spot, cores, family = [each for each in azure.find(workers=2, spot=True) if each.name == "Quota"][:3]
    assert spot.ok
    assert spot.text.startswith("lowPriorityCores: 8 needed, 3 of 3 free in eastus, for 2 Standard_DS3_v2 (Databricks")
    assert "--resource-name lowPriorityCores --resource-type lowPriority --limit-object value=8" in spot.text
    assert spot.text.endswith("; without it, workers are ordinary machines at their full price")
    assert cores.text == "cores: 18 needed, 96 of 100 free in eastus"
    assert family.text == "standardDSv2Family: 12 needed, 100 of 100 free in eastus"
    azure.usage("standardDSv2Family").update(limit=11)
    ((_, text),) = azure.wrong(workers=2, spot=True)
    assert text.startswith("standardDSv2Family: 12 needed, 11 of 11 free in eastus, for 1 Standard_DS3_v2")


def test_too_few_public_addresses(azure):
    azure.usage("IPv4StandardSkuPublicIpAddresses").update(limit=9)
    assert azure.wrong() == [
        (
            "Quota",
            "IPv4StandardSkuPublicIpAddresses: 2 needed, 1 of 9 free in eastus, for the way out of AKS, the way out"
            " of Databricks: az quota update --resource-name IPv4StandardSkuPublicIpAddresses --resource-type"
            f" PublicIpAddresses --limit-object value=10 {SCOPE.format('Network')}",
        )
    ]


def test_network_quotas_come_in_pages(azure):
    usages = azure.documents["network_usages"]
    usages["value"], rest = usages["value"][:2], usages["value"][2:]
    path = f"/subscriptions/{SUBSCRIPTION}/{LOCATIONS.format('Network')}/usages"
    usages["nextLink"] = f"https://management.azure.com{path}?page=2"
    azure.documents["network_usages2"] = {"value": rest}
    assert azure.wrong() == []


@pytest.mark.parametrize("state", ["NotRegistered", "Registering", "Unregistered"])
def test_a_provider_that_is_not_registered(azure, state):
    azure.provider("microsoft.insights")["registrationState"] = state
    assert azure.wrong() == [
        (
            "Provider",
            f"Microsoft.Insights (alerts and diagnostic settings) is {state}: az provider register --namespace"
            f" Microsoft.Insights --wait --subscription {SUBSCRIPTION}",
        )
    ]


def test_a_provider_that_a_part_needs(azure):
    needed = Demand((), (), None, dict(PARTS.values()))
    answers = Answers(SUBSCRIPTION, "eastus", {"microsoft.eventhub": "Registered"}, frozenset(), {}, [], [], [])
    wrong = [finding.text for finding in findings(needed, answers) if not finding.ok]
    assert len(wrong) == len(NAMESPACES) + 1
    assert wrong[-1].startswith("Microsoft.DocumentDB (the serving store) is unknown to this subscription: az provider")


@pytest.mark.parametrize(
    ("namespace", "names"),
    [
        ("Microsoft.Compute", ["Provider", "Quota", "Kubernetes"]),
        ("Microsoft.Network", ["Provider", "VM size", "VM size", "Quota", "Quota", "Quota", "Kubernetes"]),
        ("Microsoft.ContainerService", ["Provider", "VM size", "VM size", "Quota", "Quota", "Quota", "Quota"]),
    ],
)
def test_a_provider_that_is_not_registered_is_not_asked(azure, namespace, names):
    azure.provider(namespace)["registrationState"] = "NotRegistered"
    assert [each.name for each in azure.find()] == names
    assert not [url for _, url in azure.manager.asked if f"{namespace}/" in url]


@pytest.mark.parametrize("version", ["1.30", "1.32", "1.36"])
def test_a_version_that_is_not_offered_or_a_preview_or_for_long_term_support_only(azure, version):
    assert azure.wrong(version=version) == [
        ("Kubernetes", f"aks.version: {version} is not offered in eastus; take 1.33, 1.34, 1.35")
    ]


def test_what_stands_is_not_counted_twice_but_held_to_the_limit(azure):
    azure.documents["resources"]["value"] = [{"type": CLUSTER, "name": "aks-medallion-prod", "location": "eastus"}]
    azure.usage("standardDSv3Family").update(limit=6, currentValue=6)
    assert azure.wrong() == []
    azure.usage("cores").update(limit=98, currentValue=78)
    assert azure.wrong() == []
    azure.usage("cores").update(currentValue=79)
    assert [text.partition(",")[0] for _, text in azure.wrong()] == ["cores: 26 needed (6 by what stands already)"]
    azure.usage("cores").update(currentValue=0)
    ((_, text),) = azure.wrong(nodes=4)
    assert text.startswith("standardDSv3Family: 8 needed (8 by what stands already), 0 of 6 free in eastus")
    assert "--limit-object value=8" in text


@given(used=st.integers(0, 50), spare=st.integers(0, 50), new=st.integers(0, 20), standing=st.integers(0, 20))
def test_the_limit_that_is_asked_for_is_the_least_that_will_do(used, spare, new, standing):
    demanded = Demand(
        machines=(),
        addresses=(Address("new", "New/type"),) * new + (Address("there", "Old/type"),) * standing or (),
        kubernetes=None,
    )

    def found(limit):
        usage = SimpleNamespace(name=SimpleNamespace(value=ADDRESSES[0]), limit=limit, current_value=used)
        registered = {"microsoft.network": "Registered"}
        answers = Answers(SUBSCRIPTION, "eastus", registered, frozenset({"old/type"}), {}, [], [usage], [])
        return [each for each in findings(demanded, answers) if each.name == "Quota"]

    for finding in found(used + spare):
        assert finding.ok == (new <= spare and new + standing <= used + spare)
        if not finding.ok:
            limit = int(finding.text.partition("value=")[2].partition(" ")[0])
            assert found(limit)[0].ok
            assert not found(limit - 1)[0].ok


def test_no_right_to_read_is_one_line(azure):
    azure.status = 403
    azure.documents["providers"] = {
        "error": {"code": "AuthorizationFailed", "message": "The client 'x' does not have authorization."}
    }
    with pytest.raises(UserError) as error:
        azure.find()
    assert str(error.value) == (
        f"Azure, subscription {SUBSCRIPTION}: (AuthorizationFailed) The client 'x' does not have authorization."
    )


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Puts an `az` on PATH that does what a script says."""
    monkeypatch.delenv("ARM_SUBSCRIPTION_ID", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def write(script):
        (tmp_path / "az").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / "az").chmod(0o755)
        return importlib.import_module("medallion.azure")

    return write


def test_the_subscription_is_the_one_that_up_goes_to(cli, monkeypatch, tmp_path):
    azure = cli(f"""echo '{{"id": "{SUBSCRIPTION}"}}'""")
    assert azure.subscription_of("dev") == SUBSCRIPTION
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", SUBSCRIPTION.replace("0", "1"))
    assert azure.subscription_of("dev") == SUBSCRIPTION.replace("0", "1")
    settings = tmp_path / "Pulumi.dev.yaml"
    settings.write_text(f"config: {{'azure-native:subscriptionId': {SUBSCRIPTION.replace('0', '2')}}}\n")
    monkeypatch.setattr(azure, "tracked", lambda stack: settings)
    assert azure.subscription_of("dev") == SUBSCRIPTION.replace("0", "2")
    settings.write_text("config: {'azure-native:subscriptionId': mine}\n")
    with pytest.raises(UserError, match=r"^subscription 'mine': that is no id; `az account list` shows them$"):
        azure.subscription_of("dev")


def test_nobody_signed_in_is_one_line(cli):
    azure = cli("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1")
    with pytest.raises(UserError, match=r"^nobody is signed in to Azure: sign in with `az login`, and choose"):
        azure.subscription_of("dev")
    with pytest.raises(UserError) as error:
        azure.ask(SUBSCRIPTION, "eastus", "dev")
    assert str(error.value).startswith(f"Azure refuses subscription {SUBSCRIPTION}: sign in with `az login` (")
    assert "\n" not in str(error.value)


def test_no_azure_cli_is_one_line(cli, tmp_path, monkeypatch):
    azure = cli("")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(UserError, match=r"^there is no Azure CLI \(az\) on PATH: install it, https://"):
        azure.subscription_of("dev")


@pytest.fixture
def doctor(monkeypatch):
    """The subcommand, on a machine that has all."""
    module = importlib.import_module("medallion.doctor")
    for check in ("_python", "_java", "_pulumi", "_jars", "_disk", "_memory"):
        monkeypatch.setattr(module, check, lambda: Finding("Machine", True, "has all"))
    return module.doctor


def test_for_a_simulated_stack_there_is_nothing_to_check_in_azure(doctor, capsys):
    doctor(stack="prod", cloud="simulated")
    assert capsys.readouterr().out.splitlines()[-1] == "  ✓ Azure       nothing to check there: stack prod is simulated"
    with pytest.raises(UserError, match="STACK=local is always simulated"):
        doctor(stack="local", cloud="azure")


def test_each_finding_is_a_line_and_a_bad_one_fails(doctor, capsys, azure, monkeypatch):
    azure.usage("cores").update(limit=4)
    azure.usage("standardDSv3Family").update(limit=100)
    module = importlib.import_module("medallion.azure")
    monkeypatch.setattr(module, "ask", azure.ask)
    monkeypatch.setattr(module, "subscription_of", lambda stack: SUBSCRIPTION)
    with pytest.raises(UserError, match=r"^doctor: put right what is marked ✗ above: Quota$"):
        doctor(stack="dev", cloud="azure")
    lines = capsys.readouterr().out.splitlines()
    assert f"  ✓ Azure       subscription {SUBSCRIPTION}, eastus" in lines
    (bad,) = [line for line in lines if "✗" in line]
    assert bad.startswith("  ✗ Quota       cores: ")
    assert bad.endswith(SCOPE.format("Compute"))

    with pytest.raises(UserError):
        doctor(stack="dev", cloud="azure", json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert [each["name"] for each in document["findings"] if not each["ok"]] == ["Quota"]


def test_every_resource_of_the_program_is_of_a_provider_that_is_checked(project_root):
    of_parts = [namespace for namespace, _ in PARTS.values()]
    known = {namespace.lower().removeprefix("microsoft.") for namespace in (*NAMESPACES, *of_parts)}
    elsewhere = {"cosmosdb": "documentdb", "monitor": "insights", "privatedns": "network"}
    modules = {
        elsewhere.get(imported.name, imported.name)
        for folder in ("components", "stacks")
        for file in (project_root / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "pulumi_azure_native"
        for imported in node.names
    }
    assert "containerservice" in modules
    assert modules <= known


def test_only_the_check_itself_loads_the_azure_sdk():
    code = "import sys, medallion.__main__; print([name for name in sys.modules if name.split('.')[0] == 'azure'])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded == "[]\n"
