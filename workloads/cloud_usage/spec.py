"""The declaration of the workload `cloud-usage`."""

from workloads.cloud_usage.serving_tables import QUERIES, SERVING
from workloads.spec import Activity, EventStream, Job, Parameter, Task, Workload

MASTERS = ("billing", "customers", "nps", "resources", "tickets", "touches", "users")
BRONZE = tuple(f"bronze.cloud_usage_{name}" for name in sorted((*MASTERS, "arrivals", "batches", "events", "files")))
SILVER = tuple(
    f"silver.cloud_usage_{name}"
    for name in (
        "customers",
        "daily_costs",
        "events",
        "invoices",
        "resources",
        "surveys",
        "tickets",
        "touches",
        "users",
    )
)
MARTS = tuple(sorted(f"gold.{table.name}" for table in SERVING))
SPEED = tuple(sorted(f"speed.{table.name}" for table in SERVING if table.speed))
VERSIONS = ("gold.cloud_usage_manifest", "gold.cloud_usage_versions")
QUARANTINE = ("quarantine.cloud_usage_conformed", "quarantine.cloud_usage_records")
INGESTED = (*BRONZE, "quarantine.cloud_usage_records", "speed.late_events")

WORKLOAD = Workload(
    name="cloud-usage",
    title="Cloud usage",
    description="Usage events and masters of a cloud provider become marts, within seconds too, and are served.",
    input_path="landing/cloud_usage",
    repairs_path="landing/repairs/cloud-usage",
    jobs=(
        Job(
            schedule="0 0 3 * * ?",
            activities=(
                Activity(name="Batch_Ingestion", tasks=("bronze",)),
                Activity(name="Silver_Transformation", tasks=("silver", "anomalies")),
                Activity(name="Gold_Marts", tasks=("gold",)),
                Activity(name="Serving_Layer", tasks=("serve", "validate", "maintain")),
            ),
            tasks=(
                Task(key="bronze", layer="bronze", writes=INGESTED),
                Task(
                    key="silver",
                    layer="silver",
                    depends_on=("bronze",),
                    reads=BRONZE,
                    writes=(
                        *(name for name in SILVER if name != "silver.cloud_usage_daily_costs"),
                        "quarantine.cloud_usage_conformed",
                    ),
                ),
                Task(
                    key="anomalies",
                    layer="silver",
                    depends_on=("silver",),
                    reads=("silver.cloud_usage_events",),
                    writes=("silver.cloud_usage_daily_costs",),
                ),
                Task(
                    key="gold",
                    layer="gold",
                    depends_on=("anomalies",),
                    reads=SILVER,
                    writes=(*MARTS, *VERSIONS),
                ),
                Task(key="serve", layer="serving", depends_on=("gold",), reads=(*MARTS, *VERSIONS), retries=2),
                Task(
                    key="validate",
                    layer="quality",
                    depends_on=("serve",),
                    reads=(*BRONZE, *SILVER, *MARTS, *QUARANTINE, *VERSIONS),
                ),
                Task(key="maintain", layer="upkeep", depends_on=("validate",)),
            ),
        ),
        Job(
            key="stream",
            continuous=True,
            tasks=(
                Task(
                    key="speed",
                    layer="speed",
                    reads=(*SILVER, *MARTS, *VERSIONS),
                    writes=(*INGESTED, *SPEED),
                    timeout_seconds=7 * 24 * 3600,
                ),
            ),
        ),
    ),
    serving=SERVING,
    queries=QUERIES,
    streams=(EventStream(name="usage-events", meaning="Usage events, one JSON object each"),),
    parameters=(
        Parameter(
            name="as_of",
            default="",
            meaning="Day (YYYY-MM-DD) from which changes in the masters are valid; empty takes the day of the run.",
        ),
        Parameter(
            name="replay",
            default="",
            meaning="A rule, or `all`: what it set aside is looked at again, by the rules of now, with the repairs.",
        ),
        Parameter(
            name="source",
            default="files",
            meaning="Where usage events come from: files (of the landing folder) or stream (Kafka, Event Hubs).",
        ),
        Parameter(
            name="trigger_seconds",
            type="integer",
            default=30,
            meaning="How often the speed layer looks for new events.",
        ),
        Parameter(
            name="files_per_trigger",
            type="integer",
            default=10,
            meaning="The most files that the speed layer takes at once.",
        ),
        Parameter(
            name="watermark_minutes",
            type="integer",
            default=10,
            meaning="Events older than the newest committed one by more than this are marked as late.",
        ),
        Parameter(
            name="stop_after_seconds",
            type="integer",
            default=0,
            meaning="How long the speed layer runs; 0 is until it is cancelled.",
        ),
        Parameter(
            name="minimum_days",
            type="integer",
            default=14,
            meaning="Days that a customer's service and region must have to be compared with themselves.",
        ),
        Parameter(
            name="z_threshold",
            type="number",
            default=3.0,
            meaning="Standard deviations beyond which a cost is flagged.",
        ),
        Parameter(
            name="mad_threshold", type="number", default=3.0, meaning="Modified z-score beyond which a cost is flagged."
        ),
        Parameter(
            name="anomaly_factor",
            type="number",
            default=1.5,
            meaning="Times the 99th percentile of a service beyond which a cost is flagged.",
        ),
        Parameter(
            name="serving_budget_seconds",
            type="integer",
            default=300,
            meaning="How long the serving task tries to reach the serving store before it fails.",
        ),
        Parameter(
            name="vacuum_hours",
            type="integer",
            default=168,
            meaning="Tables keep files that they no longer need for so long (168 or more): time travel reaches back.",
        ),
    ),
)
