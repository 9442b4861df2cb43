"""The original's set-up, priced: the figures of `docs/cost.md` are those that the table and the assumptions give."""

import copy
import json

import pytest

from policies.pricing import resources, stack
from stacks.settings import Settings


@pytest.fixture(scope="module")
def page(project_root):
    return (project_root / "docs" / "cost.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def document(project_root):
    return json.loads((project_root / "docs" / "original" / "resources.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def price(project_root):
    usage = Settings.load(project_root / "docs" / "original" / "Pulumi.original.yaml").usage
    return lambda document: stack.price(resources.read(document), usage)


def test_the_page_says_what_the_original_costs(page, document, price):
    estimate = price(document)
    assert estimate.unpriced == ()
    services = estimate.services()
    for row, usd in (
        ("Databricks | 200–400", services["databricks"]),
        ("ADLS Gen2 | 50–100", services["storage"]),
        ("AKS | 150–300", services["kubernetes"]),
        ("Data Factory | 50–100", services["datafactory"]),
        ("registry, vault | not named", services["containerregistry"] + services["keyvault"]),
        ("all | 450–900", estimate.usd),
    ):
        assert f"| {row} | {usd:.2f} |" in page


def test_the_page_says_what_its_parts_are(page, document, price):
    lines: dict[str, float] = {}
    for item in price(document).items:
        lines[item.what] = lines.get(item.what, 0) + item.usd
    assert f"two D2s_v3 {lines['pool default: VMs Standard_D2s_v3']:.2f}" in page
    assert f"128 GB disks {lines['pool default: disks']:.2f}" in page
    assert f"load balancer {lines['load balancer']:.2f}" in page
    assert f"three addresses {lines['public IP'] + lines['public IP to go out']:.2f}" in page
    assert f"a volume {lines['disks']:.2f}" in page
    hour = sum(item.usd for item in price(document).items if item.resource == "cluster") / 114
    assert f"an hour of the cluster costs {hour:.2f} USD, so 200 to 400 USD are 125 to 250 hours" in page
    assert (round(200 / hour), round(400 / hour)) == (125, 250)
    operations = lines["writes"] + lines["reads"]
    terabytes = [(usd - operations) / 0.021 / 1_000 for usd in (50, 100)]
    assert "{:.1f} to\n{:.1f} TB beside these operations".format(*terabytes) in page
    chain = (lines["activity runs"] + lines["time of Databricks activities"]) / 30
    assert [round(usd / chain, -3) for usd in (50, 100)] == [12_000, 24_000]
    assert [round(usd / chain / 730) for usd in (50, 100)] == [17, 33]


def test_the_page_says_what_the_same_costs_today(page, document, price):
    today = copy.deepcopy(document)
    (workspace,) = [r for r in today["deployment"]["resources"] if r["type"] == "azure-native:databricks:Workspace"]
    workspace["inputs"] |= {"sku": {"name": "premium"}, "parameters": {"enableNoPublicIp": {"value": True}}}
    assert f"Today the same costs {price(today).usd:.2f}" in page
