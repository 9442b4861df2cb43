"""The declaration of the workload `ssh-logs`."""

from workloads.spec import Activity, Job, Parameter, Task, Workload

WORKLOAD = Workload(
    name="ssh-logs",
    title="SSH logs",
    description="Raw sshd logs become structured events, features per source address, and an anomaly score.",
    input_path="bronze/raw_logs",
    feedback_path="landing/feedback/ssh-logs",
    models=("ssh-anomaly-model",),
    jobs=(
        Job(
            schedule="0 0 2 * * ?",
            activities=(
                Activity(name="Bronze_Layer_Processing", tasks=("bronze",)),
                Activity(name="Silver_Layer_Processing", tasks=("silver",)),
                Activity(name="Gold_Layer_Processing", tasks=("gold",)),
                Activity(name="ML_Model_Training", tasks=("train", "score", "report", "validate", "maintain")),
            ),
            tasks=(
                Task(
                    key="bronze",
                    layer="bronze",
                    writes=("bronze.ssh_logs_files", "bronze.ssh_logs_records", "quarantine.ssh_logs_records"),
                ),
                Task(
                    key="silver",
                    layer="silver",
                    depends_on=("bronze",),
                    reads=("bronze.ssh_logs_files", "bronze.ssh_logs_records", "quarantine.ssh_logs_records"),
                    writes=(
                        "silver.ssh_logs_events",
                        "silver.ssh_logs_leftovers",
                        "silver.ssh_logs_progress",
                        "silver.ssh_logs_quality",
                    ),
                ),
                Task(
                    key="gold",
                    layer="gold",
                    depends_on=("silver",),
                    reads=("silver.ssh_logs_events", "silver.ssh_logs_leftovers"),
                    writes=("gold.ssh_logs_features",),
                ),
                Task(
                    key="train",
                    layer="ml",
                    depends_on=("gold",),
                    reads=("gold.ssh_logs_features", "silver.ssh_logs_events"),
                    writes=("gold.ssh_logs_holdout",),
                ),
                Task(
                    key="score",
                    layer="ml",
                    depends_on=("train",),
                    reads=("gold.ssh_logs_features",),
                    writes=("gold.ssh_logs_scores",),
                ),
                Task(
                    key="report",
                    layer="gold",
                    depends_on=("score",),
                    reads=("gold.ssh_logs_scores", "silver.ssh_logs_events"),
                    writes=(
                        "gold.ssh_logs_activity",
                        "gold.ssh_logs_attackers",
                        "gold.ssh_logs_campaigns",
                        "gold.ssh_logs_daily_summary",
                        "gold.ssh_logs_hourly_summary",
                        "gold.ssh_logs_targeted_accounts",
                    ),
                ),
                Task(
                    key="validate",
                    layer="quality",
                    depends_on=("report",),
                    reads=(
                        "bronze.ssh_logs_files",
                        "bronze.ssh_logs_records",
                        "gold.ssh_logs_activity",
                        "gold.ssh_logs_attackers",
                        "gold.ssh_logs_campaigns",
                        "gold.ssh_logs_daily_summary",
                        "gold.ssh_logs_features",
                        "gold.ssh_logs_hourly_summary",
                        "gold.ssh_logs_scores",
                        "quarantine.ssh_logs_records",
                        "silver.ssh_logs_events",
                        "silver.ssh_logs_leftovers",
                        "silver.ssh_logs_quality",
                    ),
                ),
                Task(key="maintain", layer="upkeep", depends_on=("validate",)),
            ),
        ),
    ),
    parameters=(
        Parameter(
            name="year",
            type="integer",
            default=0,
            meaning="Year of timestamps that name none; 0 takes the latest year in which they lie before the ingest.",
        ),
        Parameter(name="time_zone", default="UTC", meaning="Time zone of timestamps that name none (IANA name)."),
        Parameter(
            name="flag_share",
            type="number",
            default=0.035,
            meaning="Share of windows that the trained model flags as anomalous (above 0, at most 0.5).",
        ),
        Parameter(
            name="pseudonyms",
            default="off",
            meaning="Whose names exports and reports hold as keyed hashes: off, users or users-and-addresses.",
        ),
        Parameter(
            name="alert_budget",
            type="integer",
            default=20,
            meaning="Flagged addresses a day that people can look at; days with more are reported.",
        ),
        Parameter(
            name="rebuild",
            default="",
            meaning="UTC days whose records and events are made anew though nothing changed: a day, or FIRST..LAST.",
        ),
        Parameter(
            name="retention_days",
            type="integer",
            default=0,
            meaning="Raw files whose last record is older are removed, and all made of them; 0 keeps everything.",
        ),
        Parameter(
            name="vacuum_hours",
            type="integer",
            default=168,
            meaning="Tables keep files that they no longer need for so long (168 or more): time travel reaches back.",
        ),
        Parameter(name="seed", type="integer", default=7, meaning="Seed of the model's random choices."),
    ),
)
