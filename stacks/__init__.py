"""The Pulumi program: settings in, resources out. Environment and cloud are compared here and nowhere else."""
