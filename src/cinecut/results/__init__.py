"""The journal and what is made from it."""
