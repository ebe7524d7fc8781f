"""Which scenes belong together: the parts of a film, and chapters of them."""
