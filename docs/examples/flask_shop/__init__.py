"""A small real shop on Flask: start with ``app``, where each page is a function."""
