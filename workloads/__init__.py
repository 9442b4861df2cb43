"""What runs on the platform. Built into one wheel that every cluster installs; knows no Pulumi."""
