"""Handing over what a stack created: it is retagged, and let go of without being deleted."""

import pytest
from pulumi.runtime import mocks


@pytest.fixture
def asked(monkeypatch):
    """What is asked of the engine about each resource: name → (retained, protected)."""
    found = {}
    register = mocks.MockMonitor.RegisterResource

    def keep(self, request):
        if request.custom and not request.type.startswith("pulumi:providers:"):
            found[request.name] = (request.retainOnDelete, request.protect)
        return register(self, request)

    monkeypatch.setattr(mocks.MockMonitor, "RegisterResource", keep)
    return found


def owners(engine):
    """The owners that the tags of Azure's resources name."""
    azure = [r.inputs for r in engine.resources if r.type.startswith("azure-native:")]
    return {inputs["tags"]["managed-by"] for inputs in azure if "tags" in inputs}


def test_what_is_handed_over_bears_the_new_owners_tag_and_is_kept(record, asked):
    assert owners(record("prod", handover="platform-team")) == {"platform-team"}
    assert set(asked.values()) == {(True, False)}  # Pulumi would not let go of what is protected
    assert asked["data-lake-account"] == (True, False)


def test_what_is_not_handed_over_bears_the_stacks_own(stacks):
    assert owners(stacks["prod"]) == {"pulumi-medallion-prod"}
