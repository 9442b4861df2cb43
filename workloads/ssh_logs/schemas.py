"""The tables of `ssh-logs` and what their columns mean."""

from workloads.lakehouse import quarantine
from workloads.lakehouse.tables import Column, Table

RUN = (
    Column("ingested_at", "TIMESTAMP", "Ingest time of the run that wrote the row", audit=True),
    Column("run_id", "STRING", "The run that wrote the row", audit=True),
)

FILES = Table(
    "bronze.ssh_logs_files",
    "Every file of raw logs, and what became of its lines.",
    (
        Column("file", "STRING", "The file, relative to the folder of raw logs"),
        Column("sha256", "STRING", "Hash of its bytes as they are stored"),
        Column("bytes", "BIGINT", "Its size as it is stored"),
        Column("lines", "BIGINT", "Its lines, an unfinished last one included"),
        Column("damage", "STRING", "What is wrong with it as a gzip file; its lines are those before the damage"),
        Column("records", "BIGINT", "Lines that became records"),
        Column("first_date", "DATE", "UTC day of its earliest record"),
        Column("last_date", "DATE", "UTC day of its latest record"),
        Column("quarantined", "BIGINT", "Lines in quarantine, and one more where the file is damaged"),
        Column("duplicates", "BIGINT", "Lines (and damage) not taken because the file is a copy of another"),
        Column("duplicate_of", "STRING", "The file with the same bytes that was ingested before"),
        Column("year_basis", "STRING", "Year of times that name none: `parameter` or `ingest` (the latest possible)"),
        Column("read_as", "STRING", "Year, time zone and parser that its records hang on, besides its bytes"),
        Column("first_ingested_at", "TIMESTAMP", "Ingest time of the first run that saw these bytes", audit=True),
        *RUN,
    ),
)

RECORDS = Table(
    "bronze.ssh_logs_records",
    "Every line of the raw logs that is a syslog record.",
    (
        Column("record_id", "STRING", "Hash of the file and byte position: the same in every run"),
        Column("file", "STRING", "The file, relative to the folder of raw logs"),
        Column("line", "BIGINT", "Number of the line in the file, from 1"),
        Column("position", "BIGINT", "Byte position of the line in the (decompressed) file"),
        Column("raw", "BINARY", "The line's exact bytes where they are no UTF-8; else null, for `text` is exact"),
        Column("text", "STRING", "The line without its newline; what is no UTF-8 appears as \\xNN"),
        Column("damaged_text", "BOOLEAN", "Whether bytes were no UTF-8"),
        Column("event_time", "TIMESTAMP", "When it happened"),
        Column("event_date", "DATE", "The UTC day on which it happened"),
        Column("host", "STRING", "The host that logged it"),
        Column("process", "STRING", "The process that logged it, where the line names one"),
        Column("module", "STRING", "The part of the process, as in sshd(pam_unix)"),
        Column("pid", "BIGINT", "The id of the process, where the line names it"),
        Column("is_sshd", "BOOLEAN", "Whether the process is a part of OpenSSH's server"),
        Column("message", "STRING", "What it said; where that was `last message repeated`, with the message"),
        *RUN,
    ),
    skipping=("file", "event_date"),
)

QUARANTINE = Table(
    "quarantine.ssh_logs_records",
    "Every line of the raw logs that is no syslog record, and every damaged file.",
    quarantine.COLUMNS,
)

EVENT_COLUMNS = (
    Column("record_id", "STRING", "The record in bronze"),
    Column("file", "STRING", "The file, relative to the folder of raw logs"),
    Column("line", "BIGINT", "Number of the line in the file, from 1"),
    Column("event_time", "TIMESTAMP", "When it happened"),
    Column("host", "STRING", "The host that logged it"),
    Column("process", "STRING", "The process that logged it, where the line names one"),
    Column("pid", "BIGINT", "The id of the process, where the line names it"),
    Column("is_sshd", "BOOLEAN", "Whether the process is a part of OpenSSH's server"),
    Column("message", "STRING", "What it said; where that was `last message repeated`, with the message"),
    Column("event_id", "STRING", "The kind of message; `unknown-…` where the catalogue lacks it"),
    Column("event_template", "STRING", "The message with <*> for what varies"),
    Column("known", "BOOLEAN", "Whether the catalogue of messages has it"),
    Column("repeat_count", "INT", "How many times it happened (`message repeated N times`), else 1"),
    Column("outcome", "STRING", "success or failure of a try to log in, where the message is about one"),
    Column("user", "STRING", "The user that it names"),
    Column("user_valid", "BOOLEAN", "Whether that user exists, where the message tells"),
    Column("source_address", "STRING", "The source: the address that it names, else its session's"),
    Column("address_carried", "BOOLEAN", "Whether the address is its session's, and the message names none"),
    Column("source_port", "INT", "The port at the source"),
    Column("method", "STRING", "The method of authentication"),
    Column("key_fingerprint", "STRING", "The fingerprint of the key"),
    Column("reason", "STRING", "The reason that it gives"),
)

EVENTS = Table(
    "silver.ssh_logs_events",
    "What every record says.",
    # Spark's own catalogue takes the columns that divide a table last only.
    (*EVENT_COLUMNS, *RUN, Column("event_date", "DATE", "The UTC day on which it happened")),
    partitioned_by=("event_date",),
    skipping=("file", "event_time"),
)

PROGRESS = Table(
    "silver.ssh_logs_progress",
    "The files whose records the events were made of, as they were then.",
    (
        Column("sha256", "STRING", "Hash of the file's bytes"),
        Column("read_as", "STRING", "As in bronze, and the catalogue of messages"),
        Column("first_date", "DATE", "UTC day of its earliest record"),
        Column("last_date", "DATE", "UTC day of its latest record"),
    ),
)

WINDOW_KEY = (
    Column("source_address", "STRING", "The address"),
    Column("window_start", "TIMESTAMP", "Start of the ten minutes"),
)
WINDOW_SECONDS = 600
# Every measure is taken over the window and over what ends with it; suffix of the feature → seconds.
SPANS = {"": WINDOW_SECONDS, "_hour": 3_600, "_day": 86_400}
SPANS_IN_WORDS = {"": "in the ten minutes", "_hour": "in the hour that ends with them", "_day": "in that day"}
MEASURES = {
    "events": "Messages that name the address, repeats counted,",
    "attempts": "Tries to log in",
    "failures": "Tries that failed",
    "successes": "Tries that succeeded",
    "failure_share": "Failures per try (0 where there was none)",
    "distinct_users": "Users named",
    "invalid_users": "Users named that do not exist",
    "unproven_users": "Users named who did not log in from there",
    "unproven_failures": "Failures of users who did not log in from there",
    "unscheduled_failures": "These, but none where the tries of the day come by a clock",
    "successes_after_failures": "Successes of the ten minutes that come after a failure",
    "distinct_hosts": "Hosts touched",
    "wait_mean": "Mean seconds from one try to the next (0 where there are not two)",
    "wait_variation": "Standard deviation of these waits, per mean (0 where there are not two)",
    "silent_events": "Messages, where there was no try and no user",
    "silent_kinds": "Kinds of messages, where there was no try and no user",
    "silent_hosts": "Hosts touched, where there was no try and no user",
}
# Measured of an address; a model is trained on some of them, and names which.
FEATURES = (
    *(
        Column(f"{name}{suffix}", "DOUBLE", f"{meaning.removesuffix(',')} {SPANS_IN_WORDS[suffix]}")
        for suffix in SPANS
        for name, meaning in MEASURES.items()
    ),
    Column("day_sine", "DOUBLE", "Sine of the time of day (UTC) at the start of the ten minutes, a day being a turn"),
    Column("day_cosine", "DOUBLE", "Its cosine"),
)
WINDOWS = Table(
    "gold.ssh_logs_features",
    "What a source address did in ten minutes, and in the hour and the day that end with them.",
    (*WINDOW_KEY, *FEATURES, *RUN),
    skipping=tuple(column.name for column in WINDOW_KEY),
)

SCORES = Table(
    "gold.ssh_logs_scores",
    "How unusual the model finds what a source address did in ten minutes.",
    (
        *WINDOW_KEY,
        Column("score", "DOUBLE", "From 0 (usual) to 1 (unusual)"),
        Column("is_anomaly", "BOOLEAN", "Whether the score is above the threshold, and the address not allowed"),
        Column("allowed", "STRING", "Why the address is never flagged, where an analyst said so"),
        Column("is_attack", "BOOLEAN", "What an analyst said of the window or its address, where one did"),
        Column(
            "explanation",
            "ARRAY<STRUCT<feature: STRING, value: DOUBLE, usual: DOUBLE, weight: DOUBLE>>",
            "Of a flagged window, the features that lower the score most when they take their usual value (occlusion)",
        ),
        Column("model_name", "STRING", "The registered model"),
        Column("model_version", "INT", "Its version", audit=True),
        *RUN,
    ),
)

LEFTOVERS = Table(
    "silver.ssh_logs_leftovers",
    "What the catalogue of messages lacks, and the templates that drain3 finds in all of it.",
    (
        Column("form", "STRING", "The message masked, as it is the template of its events"),
        Column("event_id", "STRING", "The kind of message, `unknown-…`: several forms may be of one kind"),
        Column("event_template", "STRING", "The template of that kind"),
        Column("count", "BIGINT", "How many times it happened, repeats counted"),
        Column("first_seen", "TIMESTAMP", "When it happened first"),
        Column("last_seen", "TIMESTAMP", "When it happened last"),
        Column("example", "STRING", "One such message: the first in order of the alphabet, at most 500 characters"),
        Column("is_sshd", "BOOLEAN", "Whether a part of OpenSSH's server says so"),
        *RUN,
    ),
)

# Fields of events whose share of nulls the quality report states.
NULLABLE = ("process", "pid", "user", "source_address", "source_port", "method", "reason")
QUALITY = Table(
    "silver.ssh_logs_quality",
    "How well each file was understood.",
    (
        Column("file", "STRING", "The file, relative to the folder of raw logs"),
        Column("year_basis", "STRING", "Year of times that name none: `parameter` or `ingest` (the latest possible)"),
        Column("damage", "STRING", "What is wrong with it as a gzip file"),
        Column("lines", "BIGINT", "Its lines, an unfinished last one included"),
        Column("records", "BIGINT", "Lines that became records"),
        Column("duplicates", "BIGINT", "Lines not taken because the file is a copy of another"),
        Column("quarantined", "BIGINT", "Lines (and damage) in quarantine"),
        Column(
            "quarantined_by_rule", "ARRAY<STRUCT<rule: STRING, records: BIGINT>>", "Those in quarantine, by broken rule"
        ),
        Column("damaged_text", "BIGINT", "Records with bytes that are no UTF-8"),
        Column("matched", "BIGINT", "Records that the catalogue of messages has"),
        Column("leftovers", "BIGINT", "Records that it lacks"),
        Column("sshd_records", "BIGINT", "Records of parts of OpenSSH's server"),
        Column("sshd_matched", "BIGINT", "Those of them that the catalogue has"),
        Column("repeated", "BIGINT", "Records that stand for several messages"),
        Column("happened", "BIGINT", "Messages, repeats counted"),
        Column("tries", "BIGINT", "Tries to log in, repeats counted"),
        Column("carried_addresses", "BIGINT", "Records whose source address is that of their session"),
        *(Column(f"null_share_{name}", "DOUBLE", f"Share of records without {name}") for name in NULLABLE),
        Column("first_event", "TIMESTAMP", "Time of the earliest record"),
        Column("last_event", "TIMESTAMP", "Time of the latest record"),
        Column("hosts", "BIGINT", "Hosts that logged"),
        Column("daemons", "BIGINT", "Processes that logged, by name"),
        *RUN,
    ),
)

ACTIVITY = Table(
    "gold.ssh_logs_activity",
    "What happened by the minute, source address, user and host: what all business reports are made of.",
    (
        Column("minute", "TIMESTAMP", "Start of the minute"),
        Column("source_address", "STRING", "The address, where messages name one"),
        Column("user", "STRING", "The user, where messages name one"),
        Column("host", "STRING", "The host that logged"),
        Column("first_event", "TIMESTAMP", "Time of the first message"),
        Column("last_event", "TIMESTAMP", "Time of the last message"),
        Column("events", "BIGINT", "Messages, repeats counted, as in all columns below"),
        Column("sshd_events", "BIGINT", "Those of parts of OpenSSH's server"),
        Column("tries", "BIGINT", "Tries to log in"),
        Column("failures", "BIGINT", "Tries that failed"),
        Column("successes", "BIGINT", "Tries that succeeded"),
        Column("key_successes", "BIGINT", "Those of them by public key"),
        Column("unknown_user", "BOOLEAN", "Whether a message says that the user does not exist"),
        Column("probes", "BIGINT", "Contacts that were no try, as scanners make them"),
        Column("hang_ups", "BIGINT", "Connections that ended before anybody logged in"),
        *RUN,
    ),
)

CAMPAIGNS = Table(
    "gold.ssh_logs_campaigns",
    "Attacks: what one address, or several together, did without a long pause.",
    (
        Column("campaign_id", "STRING", "Hash of kind, start and addresses: the same in every run"),
        Column("kind", "STRING", "What kind of attack: see `campaigns.RULES`"),
        Column("start", "TIMESTAMP", "Its first message"),
        Column("end", "TIMESTAMP", "Its last message"),
        Column("addresses", "ARRAY<STRING>", "The source addresses, sorted"),
        Column("hosts", "ARRAY<STRING>", "The hosts touched, sorted"),
        Column("tries", "BIGINT", "Tries to log in: failures and successes"),
        Column("failures", "BIGINT", "Tries that failed, without those that a later success of the user explains"),
        Column("successes", "BIGINT", "Tries of its addresses that succeeded in its span, keys apart"),
        Column("users", "BIGINT", "Users attacked"),
        Column("unknown_users", "BIGINT", "Those of them that do not exist"),
        Column("contacts", "BIGINT", "Contacts that were no try"),
        *RUN,
    ),
)

ATTACKERS = Table(
    "gold.ssh_logs_attackers",
    "Addresses that the model flags in any window, or that took part in a campaign.",
    (
        Column("source_address", "STRING", "The address, or its pseudonym"),
        Column("first_seen", "TIMESTAMP", "Its first message"),
        Column("last_seen", "TIMESTAMP", "Its last message"),
        Column("events", "BIGINT", "Messages that name it, repeats counted"),
        Column("tries", "BIGINT", "Tries to log in"),
        Column("failures", "BIGINT", "Tries that failed"),
        Column("successes", "BIGINT", "Tries that succeeded"),
        Column("users", "BIGINT", "Users named"),
        Column("unknown_users", "BIGINT", "Those of them that do not exist"),
        Column("hosts", "BIGINT", "Hosts touched"),
        Column("campaigns", "BIGINT", "Campaigns that it took part in"),
        Column("kinds", "ARRAY<STRING>", "Their kinds, sorted"),
        Column("windows", "BIGINT", "Ten minutes that were scored"),
        Column("flagged_windows", "BIGINT", "Those that the model flags"),
        Column("highest_score", "DOUBLE", "The highest score of its windows"),
        Column("is_flagged", "BOOLEAN", "Whether the model flags any of its windows"),
        *RUN,
    ),
)

TARGETED_ACCOUNTS = Table(
    "gold.ssh_logs_targeted_accounts",
    "Users for whom tries to log in failed.",
    (
        Column("user", "STRING", "The user, or a pseudonym"),
        Column("exists", "BOOLEAN", "Whether no message says that the user does not exist"),
        Column("first_seen", "TIMESTAMP", "First message that names the user and is no success alone"),
        Column("last_seen", "TIMESTAMP", "Last such message"),
        Column("tries", "BIGINT", "Tries to log in"),
        Column("failures", "BIGINT", "Tries that failed"),
        Column("successes", "BIGINT", "Tries that succeeded"),
        Column("attacker_tries", "BIGINT", "Tries from addresses of the attackers' report"),
        Column("attacker_successes", "BIGINT", "Tries from these that succeeded: look at them first"),
        Column("addresses", "BIGINT", "Addresses that tried"),
        Column("hosts", "BIGINT", "Hosts where it was tried"),
        *RUN,
    ),
)

SUMMARY = (
    Column("events", "BIGINT", "Messages, repeats counted"),
    Column("sshd_events", "BIGINT", "Those of parts of OpenSSH's server"),
    Column("tries", "BIGINT", "Tries to log in"),
    Column("failures", "BIGINT", "Tries that failed"),
    Column("successes", "BIGINT", "Tries that succeeded"),
    Column("addresses", "BIGINT", "Source addresses named"),
    Column("users", "BIGINT", "Users named"),
    Column("hosts", "BIGINT", "Hosts that logged"),
    Column("flagged_addresses", "BIGINT", "Addresses that the model flags in that time"),
)
HOURLY = Table(
    "gold.ssh_logs_hourly_summary",
    "Every hour in which something was logged.",
    (Column("hour", "TIMESTAMP", "Start of the hour (UTC)"), *SUMMARY, *RUN),
)
DAILY = Table(
    "gold.ssh_logs_daily_summary",
    "Every day on which something was logged.",
    (Column("day", "DATE", "The day (UTC)"), *SUMMARY, *RUN),
)

REPORTS = (CAMPAIGNS, ATTACKERS, TARGETED_ACCOUNTS, HOURLY, DAILY)

HOLDOUT = Table(
    "gold.ssh_logs_holdout",
    "Generated events with their truth, on which versions of the model are compared; never trained on.",
    (
        Column("holdout", "STRING", "Which holdout this is: what determines it, as a hash"),
        Column("sample", "STRING", "The sample, by its seed"),
        Column("event_time", "TIMESTAMP", "When it happened"),
        Column("host", "STRING", "The host that logged it"),
        Column("event_id", "STRING", "The kind of message"),
        Column("outcome", "STRING", "success or failure of a try to log in, where the message is about one"),
        Column("user", "STRING", "The user that it names"),
        Column("user_valid", "BOOLEAN", "Whether that user exists, where the message tells"),
        Column("source_address", "STRING", "The address that it names as the source"),
        Column("repeat_count", "INT", "How many times it happened (`message repeated N times`), else 1"),
        Column("is_attack", "BOOLEAN", "Whether the line is of an attack"),
        Column("kind", "STRING", "Of which kind of campaign or use it is"),
    ),
)

TABLES = (
    FILES,
    RECORDS,
    QUARANTINE,
    EVENTS,
    PROGRESS,
    LEFTOVERS,
    QUALITY,
    WINDOWS,
    SCORES,
    HOLDOUT,
    ACTIVITY,
    *REPORTS,
)
