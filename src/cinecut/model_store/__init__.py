"""The models: which there are to have, which are here, and how one gets here."""
