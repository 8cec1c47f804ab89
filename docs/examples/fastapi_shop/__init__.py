"""A small real shop on FastAPI: start with ``app``, where each page is a function."""
