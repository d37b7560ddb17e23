"""What migrating does to files."""

from alembic import command

from app.db.migrate import alembic_config, upgrade


def test_the_folder_of_a_new_database_is_made(tmp_path):
    upgrade(f"sqlite+aiosqlite:///{tmp_path}/deep/wsx.db")
    assert (tmp_path / "deep" / "wsx.db").exists()


def test_doing_it_again_leaves_the_file_as_it_is(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/wsx.db"
    upgrade(url)
    before = (tmp_path / "wsx.db").read_bytes()
    upgrade(url)
    assert before == (tmp_path / "wsx.db").read_bytes()


def test_the_statements_can_be_had_without_a_file(tmp_path):
    command.upgrade(alembic_config(f"sqlite+aiosqlite:///{tmp_path}/wsx.db"), "head", sql=True)
    assert [] == list(tmp_path.iterdir())


def test_a_database_in_memory_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    upgrade("sqlite+aiosqlite://")
    assert [] == list(tmp_path.iterdir())
