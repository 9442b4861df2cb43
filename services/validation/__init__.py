"""The validation image: pytest over the checks of every workload."""
