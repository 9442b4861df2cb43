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
        Column("quarantined", "BIGINT", "Lines in quarantine, and one more where the file is damaged"),
        Column("duplicates", "BIGINT", "Lines (and damage) not taken because the file is a copy of another"),
        Column("duplicate_of", "STRING", "The file with the same bytes that was ingested before"),
        Column("year_basis", "STRING", "Year of times that name none: `parameter` or `ingest` (the latest possible)"),
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
        Column("raw", "BINARY", "The line's exact bytes, without its newline"),
        Column("text", "STRING", "The line as text, without trailing blanks; what is no UTF-8 appears as \\xNN"),
        Column("damaged_text", "BOOLEAN", "Whether bytes were no UTF-8"),
        Column("event_time", "TIMESTAMP", "When it happened"),
        Column("month_name", "STRING", "The month as syslog writes it, in the time zone of the log"),
        Column("day", "INT", "The day of the month, in the time zone of the log"),
        Column("clock", "STRING", "The time of day (HH:MM:SS), in the time zone of the log"),
        Column("host", "STRING", "The host that logged it"),
        Column("process", "STRING", "The process that logged it, where the line names one"),
        Column("module", "STRING", "The part of the process, as in sshd(pam_unix)"),
        Column("pid", "BIGINT", "The id of the process, where the line names it"),
        Column("is_sshd", "BOOLEAN", "Whether the process is a part of OpenSSH's server"),
        Column("message", "STRING", "What it said"),
        *RUN,
    ),
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
    Column("month_name", "STRING", "The month as syslog writes it, in the time zone of the log"),
    Column("day", "INT", "The day of the month, in the time zone of the log"),
    Column("clock", "STRING", "The time of day (HH:MM:SS), in the time zone of the log"),
    Column("host", "STRING", "The host that logged it"),
    Column("process", "STRING", "The process that logged it, where the line names one"),
    Column("pid", "BIGINT", "The id of the process, where the line names it"),
    Column("is_sshd", "BOOLEAN", "Whether the process is a part of OpenSSH's server"),
    Column("message", "STRING", "What it said"),
    Column("event_id", "STRING", "The kind of message; `unknown-…` where the catalogue lacks it"),
    Column("event_template", "STRING", "The message with <*> for what varies"),
    Column("known", "BOOLEAN", "Whether the catalogue of messages has it"),
    Column("repeat_count", "INT", "How many times it happened (`message repeated N times`), else 1"),
    Column("outcome", "STRING", "success or failure of a try to log in, where the message is about one"),
    Column("user", "STRING", "The user that it names"),
    Column("user_valid", "BOOLEAN", "Whether that user exists, where the message tells"),
    Column("source_address", "STRING", "The address that it names as the source"),
    Column("source_port", "INT", "The port at the source"),
    Column("method", "STRING", "The method of authentication"),
    Column("reason", "STRING", "The reason that it gives"),
)

EVENTS = Table("silver.ssh_logs_events", "What every record says.", (*EVENT_COLUMNS, *RUN))

GOLD_EVENTS = Table(
    "gold.ssh_logs_events",
    "Every event, numbered in order of time, then file and line.",
    (Column("line_id", "BIGINT", "Number of the event, from 1"), *EVENT_COLUMNS, *RUN),
)

WINDOW_KEY = (
    Column("source_address", "STRING", "The address"),
    Column("window_start", "TIMESTAMP", "Start of the ten minutes"),
)
# Measured of an address in a window; the model sees exactly these, in this order.
FEATURES = (
    Column("events", "DOUBLE", "Messages that name the address, repeats counted"),
    Column("attempts", "DOUBLE", "Tries to log in"),
    Column("failures", "DOUBLE", "Tries that failed"),
    Column("successes", "DOUBLE", "Tries that succeeded"),
    Column("failure_share", "DOUBLE", "Failures per try; 0 where there was none"),
    Column("distinct_users", "DOUBLE", "Users named"),
    Column("invalid_users", "DOUBLE", "Users named that do not exist"),
    Column("distinct_hosts", "DOUBLE", "Hosts touched"),
    Column("active_seconds", "DOUBLE", "Seconds from its first to its last message"),
)
WINDOWS = Table(
    "gold.ssh_logs_features",
    "What a source address did in ten minutes.",
    (*WINDOW_KEY, *FEATURES, *RUN),
)

SCORES = Table(
    "gold.ssh_logs_scores",
    "How unusual the model finds what a source address did in ten minutes.",
    (
        *WINDOW_KEY,
        Column("score", "DOUBLE", "From 0 (usual) to 1 (unusual)"),
        Column("is_anomaly", "BOOLEAN", "Whether the score is above the model's threshold"),
        Column("model_name", "STRING", "The registered model"),
        Column("model_version", "INT", "Its version", audit=True),
        *RUN,
    ),
)

TABLES = (FILES, RECORDS, QUARANTINE, EVENTS, GOLD_EVENTS, WINDOWS, SCORES)
