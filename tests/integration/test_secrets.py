"""No secret in plain: a canary in place of each secret that a stack handles, and a look at all that is written."""

import base64
import json
import subprocess

import pytest

from simulator.azure_kubernetes import kubeconfig
from simulator.faults import schedule_fault
from simulator.state import cloud
from toolchain import paths, stack
from toolchain.engine import engine, prepare
from toolchain.errors import UserError

pytestmark = pytest.mark.engine

VARIABLES = (
    *("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ARM_CLIENT_SECRET", "AZURE_CLIENT_SECRET", "CLOUD_SECRET_LOGS_NAMES"),
    *("DATABRICKS_CLIENT_SECRET", "DATABRICKS_TOKEN", "GITHUB_TOKEN", "KUBECONFIG", "PULUMI_ACCESS_TOKEN"),
    *("PULUMI_CONFIG_PASSPHRASE", "GRAFANA_TOKEN"),
)
# The simulated cloud knows what a real one knows; the passphrase must be somewhere.
THEIR_PLACES = ("cloud.sqlite", "cloud.sqlite-shm", "cloud.sqlite-wal", "passphrase")


def canary(name: str) -> str:
    return f"canary-of-{name.lower()}"


class Stack:
    """The stack `local`, and everything that was said about it."""

    def __init__(self, monkeypatch, home, capfd) -> None:
        for name in VARIABLES:
            monkeypatch.setenv(name, canary(name))
        monkeypatch.setenv("MEDALLION_HOME", str(home))
        self.target, self._capfd, self.said = engine("local", "simulated"), capfd, {}
        prepare(self.target)

    def operate(self, *arguments: str) -> None:
        """Run an operation; what it prints is kept."""
        try:
            stack.operate(self.target, stack.parser().parse_args(arguments), print)
        finally:
            self._keep(" ".join(arguments))

    def fails(self, *arguments: str) -> str:
        """Run an operation that fails; its last line."""
        with pytest.raises(UserError) as error:
            self.operate(*arguments)
        self.said[f"{' '.join(arguments)}: error"] = str(error.value)
        return str(error.value)

    def capture(self, *arguments: str) -> str:
        """The output of any other command, kept as well."""
        self.said[" ".join(arguments)] = self.target.capture(*arguments)
        return self.said[" ".join(arguments)]

    def set_secret(self, key: str) -> None:
        """`pulumi config set --secret`."""
        value = canary(key)
        self.target.capture("config", "set", "--secret", key, value, "--config-file", str(self.target.settings))

    def _keep(self, name: str) -> None:
        printed = self._capfd.readouterr()
        self.said[f"{len(self.said)} {name}"] = printed.out + printed.err

    def secrets(self) -> dict[str, str]:
        """What must not be seen, by what it is."""
        with cloud(self.target.home) as now:
            (cluster,) = now.find("azure-native:containerservice:ManagedCluster")
            (secret,) = now.find("azure-native:keyvault:Secret")
        config = kubeconfig(cluster)
        authority = json.loads(config)["clusters"][0]["cluster"]["certificate-authority-data"]
        names = (*VARIABLES, "azure-native:clientSecret", "medallion:tags")
        return {name: canary(name) for name in names} | {
            "passphrase": (self.target.home / "passphrase").read_text(encoding="ascii"),
            "kubeconfig": authority,
            "kubeconfig's user": "kubelogin",
            "serving store's key": secret.inputs["properties"]["value"],
            "kubeconfig as Azure gives it": base64.b64encode(config.encode()).decode()[100:200],
        }

    def written(self) -> dict[str, str]:
        """The files of this home; elsewhere, the engine keeps no log (toolchain/engine.py)."""
        files = [file for file in self.target.home.rglob("*") if file.is_file() and file.name not in THEIR_PLACES]
        return {str(file): file.read_text(encoding="utf-8", errors="replace") for file in files}


def seen(secrets: dict[str, str], texts: dict[str, str]) -> list[tuple[str, str]]:
    """Which secrets can be seen where, as they are or inside a JSON string."""
    forms = {name: {value, json.dumps(value)[1:-1]} for name, value in secrets.items()}
    return [
        (name, place) for place, text in texts.items() for name in forms if any(form in text for form in forms[name])
    ]


@pytest.fixture
def local(monkeypatch, tmp_path, capfd) -> Stack:
    return Stack(monkeypatch, tmp_path / "my home", capfd)


def test_no_secret_is_seen_in_state_previews_logs_and_outputs(local):
    local.set_secret("azure-native:clientSecret")
    schedule_fault("create", "kubernetes:core/v1:Service", 1, "kill-after-commit")
    assert "pulumi was ended by signal 9" in local.fails("up")
    schedule_fault("create", "kubernetes:batch/v1:CronJob", 1, "fail")
    assert "kubernetes:batch/v1:CronJob validation-cron-job failed" in local.fails("up")
    local.operate("up")
    local.operate("preview", "--json")
    local.capture("stack", "output", "--json")
    local.capture("stack", "export")
    local.set_secret("medallion:tags")
    assert "stack local is as it was" in local.fails("up")
    assert any("medallion:tags: a setting cannot be secret" in text for text in local.said.values())

    secrets = local.secrets()
    assert seen(secrets, local.said) == []
    assert seen(secrets, local.written()) == []

    # the eye is sharp: it sees what it is shown
    shown = subprocess.run(
        local.target.command("stack", "export", "--show-secrets"),
        cwd=paths.ROOT,
        env=local.target.environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert {name for name, _ in seen(secrets, {"export": shown})} == {
        "azure-native:clientSecret",
        "kubeconfig",
        "kubeconfig's user",
    }
    passphrase = (local.target.home / "passphrase").read_text(encoding="ascii")
    assert seen(secrets, {"passphrase": passphrase}) == [("passphrase", "passphrase")]
