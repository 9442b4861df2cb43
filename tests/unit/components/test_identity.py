"""Who may do what: identities, whom they trust, and their roles."""

import re

from components import identity
from components.identity import ROLES


def test_every_role_that_is_given_stands_in_the_table_that_says_why(changed):
    engine = changed["prod"]
    by_id = {id_: role for role, id_ in ROLES.items()}
    given = {by_id[r.inputs["roleDefinitionId"].rpartition("/")[2]] for r in engine.of("RoleAssignment")}
    assert given == set(ROLES)
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", identity.__doc__, re.MULTILINE)
    explained = {role.replace("AKS", "Azure Kubernetes Service") for _, role, _, why in rows[2:] if len(why) > 10}
    assert given <= explained
    assert all(r.inputs["principalType"] in ("Group", "ServicePrincipal") for r in engine.of("RoleAssignment"))


def test_names_of_assignments_are_the_same_every_time(stacks, changed):
    def names(engine):
        return {r.name: r.inputs["roleAssignmentName"] for r in engine.of("RoleAssignment")}

    assert names(changed["prod"]).items() > names(stacks["prod"]).items()
    assert not set(names(stacks["prod"]).values()) & set(names(stacks["staging"]).values())


def test_pods_are_their_identity_by_their_service_account(stacks):
    dev = stacks["dev"]
    trust = dev.one("FederatedIdentityCredential")
    assert trust["issuer"] == "https://issuer.example/"
    assert trust["subject"] == "system:serviceaccount:medallion-dev:validation"
    assert trust["audiences"] == ["api://AzureADTokenExchange"]
    account = dev.one("ServiceAccount")["metadata"]
    assert account["annotations"] == {"azure.workload.identity/client-id": "pods-identity-client"}
    template = dev.one("CronJob")["spec"]["jobTemplate"]["spec"]["template"]
    assert template["metadata"]["labels"]["azure.workload.identity/use"] == "true"


def test_workflows_deploy_as_an_identity_that_trusts_one_environment(changed):
    engine = changed["dev"]
    (trust,) = [r.inputs for r in engine.of("FederatedIdentityCredential") if r.name.startswith("deploy")]
    assert trust["issuer"] == "https://token.actions.githubusercontent.com"
    assert trust["subject"] == "repo:acme/medallion:environment:dev"
    scopes = {r.inputs["scope"] for r in engine.of("RoleAssignment") if r.name.startswith("deploy-identity")}
    assert scopes == {"/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/de-log-processing-rg"}
    assert engine.outputs["identities"]["deploy"] == "deploy-identity-client"
