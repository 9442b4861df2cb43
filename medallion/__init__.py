"""The `medallion` command: one file a subcommand."""
