"""The tables of `cloud-usage` and what their columns mean."""

from workloads.cloud_usage.rules import AMOUNT_DECIMALS, AMOUNT_DIGITS
from workloads.cloud_usage.serving_tables import SERVING
from workloads.lakehouse import quarantine
from workloads.lakehouse.tables import Column, Table
from workloads.spec import ServingTable

AMOUNT = f"DECIMAL({AMOUNT_DIGITS},{AMOUNT_DECIMALS})"
MONEY = "DECIMAL(28,8)"  # sums of amounts
SQL_TYPES = {
    "bigint": "BIGINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "decimal": MONEY,
    "double": "DOUBLE",
    "int": "INT",
    "text": "STRING",
    "timestamp": "TIMESTAMP",
}

SOURCE = (
    Column("source_file", "STRING", "The file in landing, or topic and partition, that it came from", audit=True),
    Column("source_line", "BIGINT", "Number of the line in the file, from 1, or offset in the partition", audit=True),
)
INGESTED = (
    Column("ingest_ts", "TIMESTAMP", "Ingest time of the run that wrote the row", audit=True),
    Column("run_id", "STRING", "The run that wrote the row", audit=True),
)
AUDIT = (*SOURCE, *INGESTED)

FILES = Table(
    "bronze.cloud_usage_files",
    "Every file of landing that was ingested, and what became of its records.",
    (
        Column("file", "STRING", "The file, relative to the landing folder"),
        Column("source", "STRING", "What it holds: events, or the master; `unknown` where its name tells none"),
        Column("sha256", "STRING", "Hash of its bytes as they are stored"),
        Column("bytes", "BIGINT", "Its size as it is stored"),
        Column("records", "BIGINT", "Its lines, for a CSV file its records without the header"),
        Column("duplicates", "BIGINT", "Of a master's records, those that say what was delivered before"),
        Column("as_of", "DATE", "Day from which its records are valid, where it is a master"),
        Column("new_columns", "ARRAY<STRING>", "Columns that are not declared; they are kept in no table"),
        Column("missing_columns", "ARRAY<STRING>", "Declared columns that it lacks; they are null"),
        *INGESTED,
    ),
)

BATCHES = Table(
    "bronze.cloud_usage_batches",
    "Every micro-batch of usage events that was committed.",
    (
        Column("engine", "STRING", "The trigger that took it, and the checkpoint: `batch:…` or `speed:…`"),
        Column("batch", "BIGINT", "Its number, from 0"),
        Column("records", "BIGINT", "Records that it held"),
        Column("quarantined", "BIGINT", "Of these, those that broke a rule"),
        Column("late", "BIGINT", "Of these, those that came late"),
        Column("newest", "TIMESTAMP", "Newest time of an event in it"),
        Column("new_keys", "ARRAY<STRING>", "Keys of events that are not declared"),
        *INGESTED,
    ),
)

EVENT_COLUMNS = (
    Column("event_id", "STRING", "The event"),
    Column("event_time", "TIMESTAMP", "When it happened"),
    Column("event_date", "DATE", "The UTC day on which it happened"),
    Column("org_id", "STRING", "The customer"),
    Column("resource_id", "STRING", "The customer's resource"),
    Column("service", "STRING", "The service"),
    Column("region", "STRING", "The region"),
    Column("metric", "STRING", "What was measured"),
    Column("value", AMOUNT, "How much; null where the event does not say"),
    Column("unit", "STRING", "In which unit, as the event says"),
    Column("cost_usd", AMOUNT, "What it adds to the cost, in USD"),
    Column("schema_version", "INT", "Version of the event's schema: 1 or 2"),
    Column("carbon_kg", AMOUNT, "Carbon dioxide, in kg; from version 2 on"),
    Column("genai_tokens", "BIGINT", "Tokens of generative AI; from version 2 on, of the service genai"),
    Column("content_hash", "BIGINT", "Hash of all that it says: equal for exact duplicates"),
)

ARRIVALS = Table(
    "bronze.cloud_usage_arrivals",
    "Every line or message that arrived, copies included, in the order of its arrival; nothing is ever taken away.",
    (
        *EVENT_COLUMNS,
        Column("rule", "STRING", "The rule that it breaks; null where it is an event"),
        Column("new_keys", "ARRAY<STRING>", "Keys of an event that are not declared; null where it has none"),
        Column("text", "STRING", "The line as text; what is no UTF-8 appears as \\xNN"),
        Column("raw", "BINARY", "Its exact bytes where they are no UTF-8; else null, for `text` is exact"),
        Column("is_late", "BOOLEAN", "Whether it came after newer ones, by more than the watermark", audit=True),
        Column("engine", "STRING", "The micro-batch that brought it: its engine", audit=True),
        Column("batch", "BIGINT", "The micro-batch that brought it: its number", audit=True),
        *AUDIT,
    ),
    skipping=("source_file", "source_line", "event_id"),
)

EVENTS = Table(
    "bronze.cloud_usage_events",
    "Every usage event once, typed.",
    (*EVENT_COLUMNS, *AUDIT),
    partitioned_by=("event_date",),
    skipping=("event_id", "event_time", "source_file", "ingest_ts"),
)

LATE = Table(
    "speed.late_events",
    "Marked copies of the events that came late; they stand in the events, too, and are never added to them.",
    (*EVENT_COLUMNS, *AUDIT),
)

MASTER_AUDIT = (
    Column("as_of", "DATE", "Day from which it is valid"),
    *AUDIT,
)


def _master(name: str, meaning: str, *columns: tuple[str, str, str]) -> Table:
    declared = tuple(Column(*column) for column in columns)
    return Table(f"bronze.cloud_usage_{name}", meaning, (*declared, *MASTER_AUDIT))


MASTERS = {
    "customers": _master(
        "customers",
        "What was delivered of customers, each time that it changed.",
        ("org_id", "STRING", "The customer"),
        ("org_name", "STRING", "Its name"),
        ("industry", "STRING", "Its industry"),
        ("hq_region", "STRING", "Region of its headquarters"),
        ("plan_tier", "STRING", "Its plan"),
        ("is_enterprise", "BOOLEAN", "Whether it has an enterprise contract"),
        ("signup_date", "DATE", "When it signed up"),
        ("sales_rep", "STRING", "Who looks after it"),
        ("lifecycle_stage", "STRING", "Where it stands, from lead to churned"),
        ("marketing_source", "STRING", "What brought it"),
        ("nps_score", "DECIMAL(9,2)", "Its last net promoter score, as delivered"),
    ),
    "users": _master(
        "users",
        "What was delivered of users, each time that it changed.",
        ("user_id", "STRING", "The user"),
        ("org_id", "STRING", "The user's customer"),
        ("email", "STRING", "Address"),
        ("role", "STRING", "What the user does"),
        ("active", "BOOLEAN", "Whether the user is active"),
        ("created_at", "DATE", "When the user was created"),
        ("last_login", "DATE", "When the user last came"),
    ),
    "resources": _master(
        "resources",
        "What was delivered of resources, each time that it changed.",
        ("resource_id", "STRING", "The resource"),
        ("org_id", "STRING", "Whose it is"),
        ("service", "STRING", "Of which service"),
        ("region", "STRING", "In which region"),
        ("created_at", "DATE", "When it was created"),
        ("state", "STRING", "Whether it runs"),
        ("tags_json", "STRING", "Its tags, a JSON list"),
    ),
    "tickets": _master(
        "tickets",
        "What was delivered of support tickets, each time that it changed.",
        ("ticket_id", "STRING", "The ticket"),
        ("org_id", "STRING", "Who opened it"),
        ("category", "STRING", "What it is about"),
        ("severity", "STRING", "How bad it is"),
        ("created_at", "DATE", "When it was opened"),
        ("resolved_at", "DATE", "When it was resolved"),
        ("csat", "DECIMAL(9,2)", "How satisfied the customer was, as delivered"),
        ("sla_breached", "BOOLEAN", "Whether it broke the service level agreement"),
    ),
    "billing": _master(
        "billing",
        "What was delivered of invoices, each time that it changed.",
        ("invoice_id", "STRING", "The invoice, or credit note"),
        ("org_id", "STRING", "To whom"),
        ("month", "DATE", "First day of the month"),
        ("subtotal", AMOUNT, "Amount before credits and taxes; negative on credit notes"),
        ("credits", AMOUNT, "What is taken off"),
        ("taxes", AMOUNT, "What is put on"),
        ("currency", "STRING", "Of the three amounts"),
        ("exchange_rate_to_usd", AMOUNT, "USD for one unit of the currency, as delivered"),
    ),
    "nps": _master(
        "nps",
        "What was delivered of surveys.",
        ("org_id", "STRING", "Who answered"),
        ("survey_date", "DATE", "When"),
        ("nps_score", "DECIMAL(9,2)", "The score, as delivered"),
        ("comment", "STRING", "What was said"),
    ),
    "touches": _master(
        "touches",
        "What was delivered of marketing touches, each time that it changed.",
        ("touch_id", "STRING", "The touch"),
        ("org_id", "STRING", "Who was touched"),
        ("campaign", "STRING", "The campaign"),
        ("channel", "STRING", "The channel"),
        ("timestamp", "DATE", "When"),
        ("clicked", "BOOLEAN", "Whether it was clicked"),
        ("converted", "BOOLEAN", "Whether it led to a sale"),
    ),
}

QUARANTINE = Table(
    "quarantine.cloud_usage_records",
    "Every record that breaks a rule of bronze, and every known key with other content.",
    (
        *quarantine.COLUMNS[:3],
        Column("source", "STRING", "What it is a record of: events, or the master"),
        *quarantine.COLUMNS[3:],
    ),
)

SILVER_EVENTS = Table(
    "silver.cloud_usage_events",
    "Every usage event of a known customer, in numbers and units, beside what was known of customer and resource.",
    (
        *(column for column in EVENT_COLUMNS if column.name != "content_hash"),
        Column("org_name", "STRING", "The customer's name when it happened"),
        Column("industry", "STRING", "The customer's industry when it happened"),
        Column("plan_tier", "STRING", "The customer's plan when it happened"),
        Column("is_enterprise", "BOOLEAN", "Whether the customer had an enterprise contract when it happened"),
        Column("lifecycle_stage", "STRING", "Where the customer stood when it happened"),
        Column("resource_state", "STRING", "The resource's state when it happened; null where it is not known"),
        Column("resource_tags", "ARRAY<STRING>", "The resource's tags when it happened"),
        Column("before_creation", "BOOLEAN", "Whether it precedes its resource's creation date"),
        Column(
            "is_outlier", "BOOLEAN", "Cost beyond the anomaly factor times the service's 99th percentile: marked only"
        ),
        *AUDIT,
    ),
    skipping=("event_date", "service", "org_id"),
)

CONFORMED_QUARANTINE = Table(
    "quarantine.cloud_usage_conformed",
    "Events that silver cannot place; a later run takes those whose customer is delivered by then.",
    (
        Column("rule", "STRING", "The rule that the event breaks"),
        Column("reason", "STRING", "Why, for people"),
        *EVENT_COLUMNS,
        *AUDIT,
    ),
)

VALIDITY = (
    Column("valid_from", "DATE", "First day on which this version holds; the first version holds from the beginning"),
    Column("valid_to", "DATE", "First day on which it does not any more; null where it is the current one"),
    Column("is_current", "BOOLEAN", "Whether it is the current version"),
)


def _silver(name: str, of: str, meaning: str, *more: Column) -> Table:
    kept = tuple(column for column in MASTERS[of].columns if not column.audit and column.name != "as_of")
    return Table(f"silver.cloud_usage_{name}", meaning, (*kept, *more))


CUSTOMERS = _silver("customers", "customers", "Customers, a row for each time that one changed.", *VALIDITY)
RESOURCES = _silver("resources", "resources", "Resources, a row for each time that one changed.", *VALIDITY)
USERS = _silver(
    "users",
    "users",
    "Users as they were last delivered.",
    Column("login_before_creation", "BOOLEAN", "Whether the last login precedes the creation: marked only"),
)
TICKETS = _silver(
    "tickets",
    "tickets",
    "Tickets as they were last delivered.",
    Column("csat_in_range", "BOOLEAN", "Whether the satisfaction is from 1 to 5; null where there is none"),
)
SURVEYS = _silver(
    "surveys",
    "nps",
    "Surveys as they were last delivered.",
    Column("nps_in_range", "BOOLEAN", "Whether the score is from -100 to 100; null where there is none"),
)
TOUCHES = _silver(
    "touches",
    "touches",
    "Marketing touches as they were last delivered.",
    Column("converted_without_click", "BOOLEAN", "Whether it led to a sale though nobody clicked: marked only"),
)
INVOICES = _silver(
    "invoices",
    "billing",
    "Invoices and credit notes as they were last delivered, in USD too.",
    Column("rate", AMOUNT, "USD for one unit of the currency: 1 for USD, else as delivered"),
    Column("subtotal_usd", MONEY, "Subtotal in USD"),
    Column("credits_usd", MONEY, "Credits in USD; none are 0"),
    Column("revenue_usd", MONEY, "Subtotal less credits, in USD"),
    Column("taxes_usd", MONEY, "Taxes in USD"),
    Column("is_credit_note", "BOOLEAN", "Whether the subtotal is negative"),
)

DAILY_COSTS = Table(
    "silver.cloud_usage_daily_costs",
    "What each customer's service cost in a region on a day, and which methods find that out of the ordinary.",
    (
        *(Column(c.name, SQL_TYPES[c.type], c.meaning) for c in SERVING[2].columns[:5]),
        Column("baseline", "STRING", "What the day is compared with: org-service-region or service"),
        Column("days", "BIGINT", "Days of the baseline"),
        Column("mean", "DOUBLE", "Mean of the baseline, in USD"),
        Column("deviation", "DOUBLE", "Standard deviation of the baseline (ddof 0), in USD"),
        Column("median", "DOUBLE", "Median of the baseline, in USD"),
        Column("mad", "DOUBLE", "Median absolute deviation of the baseline, in USD"),
        *(Column(c.name, SQL_TYPES[c.type], c.meaning) for c in SERVING[2].columns[6:]),
    ),
)

VERSIONS = Table(
    "gold.cloud_usage_versions",
    "The versions of the batch layer; the newest is the one that is served.",
    (
        Column("version", "BIGINT", "Its number, from 1"),
        Column("events", "BIGINT", "Usage events in it"),
        Column("published_at", "TIMESTAMP", "Ingest time of the run that made it", audit=True),
        Column("run_id", "STRING", "The run that made it", audit=True),
    ),
)

MANIFEST = Table(
    "gold.cloud_usage_manifest",
    "Which files, and of which partitions up to which offset, each version holds.",
    (
        Column("version", "BIGINT", "The version"),
        Column("source_file", "STRING", "The file, or topic and partition"),
        Column("last_line", "BIGINT", "Its last line, or the last offset, that the version holds"),
    ),
)


def _mart(layer: str, served: ServingTable, *more: Column) -> Table:
    columns = (Column(c.name, SQL_TYPES[c.type], c.meaning) for c in served.columns)
    return Table(f"{layer}.{served.name}", f"{served.meaning}.", (*columns, *more))


MARTS = {served.name: _mart("gold", served) for served in SERVING}
SPEED = {
    served.name: _mart("speed", served, Column("version", "BIGINT", "Version of the batch layer that it completes"))
    for served in SERVING
    if served.speed
}

TABLES = (
    FILES,
    BATCHES,
    ARRIVALS,
    EVENTS,
    LATE,
    *MASTERS.values(),
    QUARANTINE,
    SILVER_EVENTS,
    CONFORMED_QUARANTINE,
    CUSTOMERS,
    RESOURCES,
    USERS,
    TICKETS,
    SURVEYS,
    TOUCHES,
    INVOICES,
    DAILY_COSTS,
    VERSIONS,
    MANIFEST,
    *MARTS.values(),
    *SPEED.values(),
)
