"""What somebody else's model may look at: the films that were described, and nothing else."""
