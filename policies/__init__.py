"""The policy pack: one file a service."""
