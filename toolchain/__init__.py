"""Sets up what the project needs inside the checkout, and calls the Pulumi engine."""
