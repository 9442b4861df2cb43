"""The cloud without a cloud: simulated providers for the real Pulumi engine, and the Jobs API that runs its jobs."""
