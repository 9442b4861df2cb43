"""The workload `cloud-usage`: a lambda architecture over what customers of a cloud use, pay and report."""
