"""The history of the tables: Alembic branch ``shopaccounts``.

A host that has an Alembic environment of its own adds the folder ``versions`` to its ``version_locations`` and upgrades
to ``shopaccounts@head``. Prefix and schema, where they are not the usual ones, are told in ``env.py`` by
``context.config.attributes["shopaccounts"] = {"prefix": "sa_", "schema": "shop"}``. Everybody else calls ``migrate`` on
the storage.

Revisions that were released are never changed. They add first, and take away in a later release.
"""
