"""What all workloads share: lake, tables, exports, metrics, checks, lineage, tracking and the task entry point."""
