"""The tables that are served, each made for a question, and the questions."""

from workloads.spec import Query, ServingColumn, ServingTable


def _columns(*declared: str) -> tuple[ServingColumn, ...]:
    """Columns from lines `name type meaning`."""
    return tuple(
        ServingColumn(**dict(zip(("name", "type", "meaning"), line.split(" ", 2), strict=True))) for line in declared
    )


SERVING = (
    ServingTable(
        name="org_daily_usage_by_service",
        meaning="What a customer used of a service on a day, and what it cost",
        columns=_columns(
            "org_id text The customer",
            "date date Day of the events (UTC)",
            "service text The service",
            "events bigint Events",
            "cost_usd decimal Sum of the cost increments, in USD",
            "requests decimal Requests, counted",
            "cpu_hours decimal Hours of CPU",
            "storage_gb_hours decimal Gigabyte-hours of storage",
            "genai_tokens bigint Tokens of generative AI",
            "carbon_kg decimal Carbon dioxide, in kg; events of schema 1 name none",
        ),
        partition_key=("org_id",),
        order=("date", "service"),
        speed="adds",
    ),
    ServingTable(
        name="revenue_by_org_month",
        meaning="What a customer was billed in a month, in USD; credit notes count as negative revenue",
        columns=_columns(
            "org_id text The customer",
            "year int Year of the invoices",
            "month int Month of the invoices, from 1",
            "subtotal_usd decimal Sum of the subtotals",
            "credits_usd decimal Sum of the credits",
            "revenue_usd decimal Subtotals less credits; taxes are apart",
            "taxes_usd decimal Sum of the taxes",
            "invoices bigint Invoices and credit notes",
            "credit_notes bigint Invoices with a negative subtotal",
        ),
        partition_key=("org_id",),
        order=("year", "month"),
    ),
    ServingTable(
        name="cost_anomaly_mart",
        meaning="Days on which a customer's cost of a service in a region is out of the ordinary",
        columns=_columns(
            "org_id text The customer",
            "date date The day (UTC)",
            "service text The service",
            "region text The region",
            "cost_usd decimal Cost of the day, in USD",
            "baseline text What the day is compared with: org-service-region or service",
            "z_score double Standard deviations from the mean of the baseline",
            "modified_z_score double 0.6745 times the distance from the median, in median absolute deviations",
            "percentile_limit double The cost above which the percentile method flags, in USD",
            "methods text The methods that agree, by name, separated by commas",
            "severity int How many methods agree",
            "is_anomaly boolean Whether any method flags the day",
        ),
        partition_key=("org_id",),
        order=("date", "service", "region"),
        speed="replaces",
        shown_if="is_anomaly",
    ),
    ServingTable(
        name="tickets_by_org_date",
        meaning="The support tickets that a customer opened on a day, and how they went",
        columns=_columns(
            "org_id text The customer",
            "date date Day on which the tickets were opened",
            "tickets bigint Tickets",
            "resolved bigint Tickets that are resolved",
            "breached bigint Tickets that broke the service level agreement",
            "sla_breach_rate double Share of the tickets that broke it",
            "csat_answers bigint Answers of satisfaction from 1 to 5",
            "csat_average double Mean of these answers; null where there is none",
            "csat_out_of_range bigint Answers outside 1 to 5, left out of the mean",
        ),
        partition_key=("org_id",),
        order=("date",),
    ),
    ServingTable(
        name="genai_tokens_by_org_date",
        meaning="Tokens of generative AI that a customer used on a day, and what they cost",
        columns=_columns(
            "org_id text The customer",
            "date date Day of the events (UTC)",
            "events bigint Events of the service genai",
            "genai_tokens bigint Tokens",
            "cost_usd decimal Cost of these events, in USD",
        ),
        partition_key=("org_id",),
        order=("date",),
        speed="adds",
    ),
    ServingTable(
        name="usage_by_sliding_hour",
        meaning="Events and cost in windows of an hour, every half hour: each event is in two, never sum them",
        columns=_columns(
            "org_id text The customer",
            "window_start timestamp Begin of the window",
            "service text The service",
            "window_end timestamp End of the window, exclusive",
            "events bigint Events",
            "cost_usd decimal Sum of the cost increments, in USD",
        ),
        partition_key=("org_id",),
        order=("window_start", "service"),
        speed="adds",
    ),
)

QUERIES = (
    Query(
        name="org-daily",
        meaning="What a customer used on a day, by service",
        table="org_daily_usage_by_service",
        equals=("org_id", "date"),
    ),
    Query(
        name="revenue",
        meaning="What a customer was billed in a month",
        table="revenue_by_org_month",
        equals=("org_id", "year", "month"),
    ),
    Query(
        name="anomalies",
        meaning="A customer's anomalous days since a date",
        table="cost_anomaly_mart",
        equals=("org_id",),
        at_least="date",
    ),
    Query(
        name="tickets",
        meaning="A customer's tickets since a date",
        table="tickets_by_org_date",
        equals=("org_id",),
        at_least="date",
    ),
    Query(
        name="genai",
        meaning="A customer's use of generative AI since a date",
        table="genai_tokens_by_org_date",
        equals=("org_id",),
        at_least="date",
    ),
    Query(
        name="hourly",
        meaning="A customer's use by hour since a time",
        table="usage_by_sliding_hour",
        equals=("org_id",),
        at_least="window_start",
    ),
)
