"""A payment gateway behind an HTTP API, and a stand-in for its provider that runs on your own machine."""
