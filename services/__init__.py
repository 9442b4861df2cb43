"""What we build images of: each folder one image."""
