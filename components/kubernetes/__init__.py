"""What runs on AKS: one component a file."""
