"""SQL: the base of all tables, transactions, pages of a list, migrations."""
