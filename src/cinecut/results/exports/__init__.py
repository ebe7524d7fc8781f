"""Results as text: one pure function a format."""
