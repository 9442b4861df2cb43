"""The policy pack `medallion`, as the engine starts it."""

from pulumi_policy import EnforcementLevel, PolicyPack

from policies import cosmos, databricks, eventhub, storage, tags

RULES = (*storage.RULES, *cosmos.RULES, *eventhub.RULES, *databricks.RULES, *tags.RULES)

if __name__ == "__main__":
    PolicyPack(
        name="medallion",
        enforcement_level=EnforcementLevel.MANDATORY,
        policies=[rule.policy() for rule in RULES],
    )
