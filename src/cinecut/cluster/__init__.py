"""Describes a library of films on the machines of a Ray cluster."""
