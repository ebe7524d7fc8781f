"""What the two files of a vision model tell."""
