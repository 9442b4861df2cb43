"""The policy pack `medallion`, as the engine starts it."""

from pulumi_policy import EnforcementLevel, PolicyPack

from policies import databricks, storage, tags

RULES = (*storage.RULES, *databricks.RULES, *tags.RULES)

if __name__ == "__main__":
    PolicyPack(
        name="medallion",
        enforcement_level=EnforcementLevel.MANDATORY,
        policies=[rule.policy() for rule in RULES],
    )
