"""Run by Alembic, on the connection that ``schema.migrate`` hands over."""

from alembic import context

told = context.config.attributes["shopaccounts"]
context.configure(
    connection=told["connection"], version_table=f"{told['prefix']}schema", version_table_schema=told["schema"]
)
with context.begin_transaction():
    context.run_migrations()
