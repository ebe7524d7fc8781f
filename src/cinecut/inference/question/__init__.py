"""What is asked about a picture, and what counts as an answer."""
