"""Where a stack stands."""

import pytest

from stacks.place import Place
from stacks.settings import SettingsError

ENVIRONMENT = {"CLOUD": "simulated"}
ADMINISTRATORS = {"platform": {"object_id": "00000000-1111-2222-3333-444444444444"}}


def test_a_laptop_signs_in_by_the_azure_command_and_a_workflow_by_its_token(record):
    settings = record.settings("dev")
    assert Place.read(ENVIRONMENT, "dev", settings).auth_type == "azure-cli"
    assert Place.read({**ENVIRONMENT, "GITHUB_ACTIONS": "true"}, "dev", settings).auth_type == "github-oidc-azure"


@pytest.mark.parametrize(
    ("environment", "stack", "message"),
    [
        ({"CLOUD": None}, "dev", "CLOUD must be simulated or azure, not None: start Pulumi through make"),
        ({"CLOUD": "aws"}, "dev", "CLOUD must be simulated or azure, not 'aws': start Pulumi through make"),
        ({"CLOUD": "azure"}, "local", "the stack 'local' is always simulated: CLOUD=azure takes another STACK"),
        (
            {"CLOUD": "azure"},
            "dev",
            "medallion:administrators: name the group that administers the cluster (object id in Entra);"
            " local accounts are off, so that nobody else could declare pods",
        ),
    ],
)
def test_an_impossible_place_is_one_line(record, environment, stack, message):
    changed = {key: value for key, value in {**ENVIRONMENT, **environment}.items() if value is not None}
    with pytest.raises(SettingsError) as error:
        Place.read(changed, stack, record.settings(stack))
    assert str(error.value) == message


def test_azure_takes_a_stack_with_administrators(record):
    settings = record.settings("dev", administrators=ADMINISTRATORS)
    assert Place.read({**ENVIRONMENT, "CLOUD": "azure"}, "dev", settings).cloud == "azure"
