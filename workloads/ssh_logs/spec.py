"""The declaration of the workload `ssh-logs`."""

from workloads.spec import Job, Parameter, Task, Workload

WORKLOAD = Workload(
    name="ssh-logs",
    title="SSH logs",
    description="Raw sshd logs become structured events, features per source address, and an anomaly score.",
    input_path="bronze/raw_logs",
    jobs=(
        Job(
            schedule="0 0 2 * * ?",
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
                    reads=("bronze.ssh_logs_records",),
                    writes=("silver.ssh_logs_events",),
                ),
                Task(
                    key="gold",
                    layer="gold",
                    depends_on=("silver",),
                    reads=("silver.ssh_logs_events",),
                    writes=("gold.ssh_logs_events", "gold.ssh_logs_features"),
                ),
                Task(key="train", layer="ml", depends_on=("gold",), reads=("gold.ssh_logs_features",)),
                Task(
                    key="score",
                    layer="ml",
                    depends_on=("train",),
                    reads=("gold.ssh_logs_features",),
                    writes=("gold.ssh_logs_scores",),
                ),
                Task(
                    key="validate",
                    layer="quality",
                    depends_on=("score",),
                    reads=(
                        "bronze.ssh_logs_files",
                        "bronze.ssh_logs_records",
                        "gold.ssh_logs_events",
                        "gold.ssh_logs_features",
                        "gold.ssh_logs_scores",
                        "quarantine.ssh_logs_records",
                        "silver.ssh_logs_events",
                    ),
                ),
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
            default=0.05,
            meaning="Share of windows that the trained model flags as anomalous (above 0, at most 0.5).",
        ),
        Parameter(name="seed", type="integer", default=7, meaning="Seed of the model's random choices."),
    ),
)
