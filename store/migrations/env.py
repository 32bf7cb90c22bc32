"""What Alembic runs: it gets its connection, inside a transaction, from `store.migrate`."""

from alembic import context

from store.tables import Base

# SQLite can roll back changes of tables, which Alembic does not assume.
context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
