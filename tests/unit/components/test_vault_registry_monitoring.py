"""Key vault, container registry, and what Azure Monitor sees."""

from components.monitoring import LOGS, THRESHOLDS


def test_the_vault_is_ruled_by_roles_and_keeps_what_was_deleted(stacks):
    properties = stacks["prod"].one("Vault")["properties"]
    assert properties["enableRbacAuthorization"] is True
    assert properties["enablePurgeProtection"] is True
    assert properties["softDeleteRetentionInDays"] == 90
    assert properties["tenantId"] == "66666666-7777-8888-9999-000000000000"
    assert "accessPolicies" not in properties


def test_a_deleted_vault_is_taken_back(stacks, changed):
    modes = [engines["dev"].one("Vault")["properties"]["createMode"] for engines in (stacks, changed)]
    assert modes == ["default", "recover"]


def test_databricks_may_read_the_vault_where_it_is_known_by_its_id(changed):
    role = changed["dev"].inputs("databricks-key-vault-secrets-user-on-key-vault")
    assert (role["principalId"], role["scope"]) == ("00000000-1111-2222-3333-444444444444", "key-vault-vault-id")
    assert role["roleDefinitionId"].endswith("/4633458b-17de-408a-b874-0445c86b69e6")
    assert changed["dev"].one("Vault")["properties"]["softDeleteRetentionInDays"] == 7


def test_administrators_put_secrets_in(changed):
    role = changed["dev"].inputs("administrator-platform-key-vault-secrets-officer-on-key-vault")
    assert (role["scope"], role["principalType"]) == ("key-vault-vault-id", "Group")


def test_the_registry_knows_identities_only(stacks, changed):
    for stack in stacks.values():
        registry = stack.one("Registry")
        assert (registry["adminUserEnabled"], registry["anonymousPullEnabled"]) == (False, False)
    assert changed["prod"].one("Registry")["policies"]["retentionPolicy"]["days"] == 30


def test_nodes_pull_images_by_the_kubelets_identity(stacks):
    role = stacks["prod"].inputs("aks-kubelets-acrpull-on-container-registry")
    assert (role["principalId"], role["scope"]) == ("kubelet-principal", "container-registry-registry-id")


def test_everything_that_has_logs_sends_them_to_one_place(stacks):
    settings = {r.name: r.inputs for r in stacks["prod"].of("DiagnosticSetting")}
    assert sorted(settings) == [f"monitoring-logs-of-{what}" for what in sorted(LOGS)]
    assert {setting["workspaceId"] for setting in settings.values()} == {"logs-workspace-id"}
    lake = settings["monitoring-logs-of-data-lake"]
    assert lake["resourceUri"] == "data-lake-account-id/blobServices/default"
    assert [log["category"] for log in lake["logs"]] == ["StorageDelete", "StorageWrite"]


def test_alerts_are_about_resources_of_the_stack_and_tell_the_action_group(stacks):
    prod = stacks["prod"]
    alerts = {r.inputs["ruleName"]: r.inputs for r in prod.of("MetricAlert")}
    assert sorted(alerts) == sorted(THRESHOLDS)
    failed = alerts["pipeline-failed"]
    assert failed["scopes"] == ["data-factory-factory-id"]
    (criterion,) = failed["criteria"]["allOf"]
    assert (criterion["metricName"], criterion["operator"], criterion["threshold"]) == (
        *("PipelineFailedRuns", "GreaterThan", 0),
    )
    assert {alert["actions"][0]["actionGroupId"] for alert in alerts.values()} == {"monitoring-action-group-id"}
    deleted = prod.inputs("monitoring-lake-deleted")
    assert deleted["condition"]["allOf"] == [
        {"field": "category", "equals": "Administrative"},
        {"field": "operationName", "equals": "Microsoft.Storage/storageAccounts/delete"},
    ]


def test_the_budget_tells_at_half_at_most_and_before_it_is_exceeded(changed):
    budget = changed["dev"].one("Budget")
    assert (budget["amount"], budget["timeGrain"]) == (700, "Monthly")
    assert budget["timePeriod"] == {"startDate": "2026-12-01T00:00:00Z"}
    assert {name: (n["thresholdType"], n["threshold"]) for name, n in budget["notifications"].items()} == {
        "spent-50": ("Actual", 50),
        "spent-80": ("Actual", 80),
        "spent-100": ("Actual", 100),
        "forecast-100": ("Forecasted", 100),
    }
    assert budget["notifications"]["spent-50"]["contactEmails"] == ["a@example.com", "b@example.com"]
    receivers = changed["dev"].one("ActionGroup")["emailReceivers"]
    assert [receiver["emailAddress"] for receiver in receivers] == ["a@example.com", "b@example.com"]


def test_logs_are_kept_as_long_as_the_settings_say(stacks, changed):
    kept = [
        r.inputs["retentionInDays"]
        for engines in (stacks, changed)
        for r in engines["dev"].of("Workspace")
        if r.type.startswith("azure-native:operational")
    ]
    assert kept == [30, 90]
