"""A frame as a picture: its shape, its colours, its JPEG."""
