"""What all tests share: the kinds of host and storage, and one database server for the whole run."""

pytest_plugins = ["shopaccounts.testing.plugin"]
