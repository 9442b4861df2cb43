"""The workload `ssh-logs`: sshd logs from raw lines to scored source addresses."""
