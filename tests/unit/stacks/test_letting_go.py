"""What becomes of a resource that is declared no longer, or anew: kept, deleted with another, deleted first."""

import pytest
from pulumi.runtime import mocks

from workloads.spec import discover


@pytest.fixture(scope="module")
def handed_over(record):
    """The stack `prod`, handed over: what it declares, and what it asks of the engine by name, providers aside."""
    asked, register = {}, mocks.MockMonitor.RegisterResource

    def keep(self, request):
        if not request.type.startswith("pulumi:"):
            asked[request.name] = request
        return register(self, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mocks.MockMonitor, "RegisterResource", keep)
        return record("prod", handover="platform-team"), asked


def owners(engine):
    """The owners that the tags of Azure's resources name."""
    azure = [r.inputs for r in engine.resources if r.type.startswith("azure-native:")]
    return {inputs["tags"]["managed-by"] for inputs in azure if "tags" in inputs}


def test_what_is_handed_over_bears_the_new_owners_tag_and_is_kept(handed_over, stacks):
    engine, asked = handed_over
    assert owners(engine) == {"platform-team"}
    assert owners(stacks["prod"]) == {"pulumi-medallion-prod"}
    assert {each.retainOnDelete for each in asked.values()} == {True}
    assert {each.protect for each in asked.values()} == {False}  # Pulumi would not let go of what is protected
    assert "data-lake-account" in asked


def test_a_cluster_of_ours_is_deleted_before_it_is_replaced_and_takes_along_what_stands_in_it(handed_over):
    _, asked = handed_over
    tables = [f"serving-store-{workload.name}-{table.name}" for workload in discover() for table in workload.stored]
    assert {name for name, each in asked.items() if each.deleteBeforeReplace} == {"aks-cluster", *tables}
    inside = {name for name, each in asked.items() if each.deletedWith.endswith("providers:kubernetes::kubernetes")}
    assert inside == {"namespace", "prometheus", "grafana", "validation"}  # and the engine gives it to their children
