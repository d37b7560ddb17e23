"""The secret that is kept beside the database."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from app.auth import secret_file
from app.auth.secret_file import FILE_NAME, secret_beside
from app.settings import MIN_SECRET_CHARS, SettingsError


def test_it_is_made_once_and_only_for_the_owner(tmp_path):
    folder = tmp_path / "deep" / "var"
    secret = secret_beside(folder)
    assert secret == secret_beside(folder)
    assert MIN_SECRET_CHARS <= len(secret)
    assert 0o600 == (folder / FILE_NAME).stat().st_mode & 0o777
    assert [FILE_NAME] == [file.name for file in folder.iterdir()]
    assert secret != secret_beside(tmp_path)


def test_one_that_is_there_is_taken(tmp_path):
    (tmp_path / FILE_NAME).write_text("  " + "s" * MIN_SECRET_CHARS + "\n")
    assert "s" * MIN_SECRET_CHARS == secret_beside(tmp_path)


def test_all_that_make_it_at_once_have_the_same(tmp_path):
    together = Barrier(8)

    def make(folder: Path) -> str:
        together.wait()
        return secret_beside(folder)

    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            folder = tmp_path / str(number)
            folder.mkdir()
            found = set(pool.map(make, [folder] * 8))
            assert {(folder / FILE_NAME).read_text()} == found
            assert [FILE_NAME] == [file.name for file in folder.iterdir()]


def test_whoever_comes_second_takes_that_of_the_first(tmp_path):
    secret = secret_beside(tmp_path)
    secret_file._put_secret(tmp_path / FILE_NAME)  # it saw no file, and then there was one
    assert secret == secret_beside(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n", b"s" * (MIN_SECRET_CHARS - 1)])
def test_one_that_is_too_short_is_refused(tmp_path, content):
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(SettingsError, match=f"{FILE_NAME} has fewer than {MIN_SECRET_CHARS} characters; delete the file, or set"):
        secret_beside(tmp_path)
    assert content == (tmp_path / FILE_NAME).read_bytes()


def test_one_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(SettingsError, match=f"{FILE_NAME} cannot be used instead: .*Is a directory"):
        secret_beside(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / FILE_NAME).write_bytes(b"\xff" * 40)
    with pytest.raises(SettingsError, match="cannot be used instead"):
        secret_beside(other)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="WSX_TOKEN_SECRET is not set, and the file"):
        secret_beside(tmp_path / "file" / "var")


def test_a_process_may_not_widen_its_mode(tmp_path):
    code = "import os, sys; from pathlib import Path\nfrom app.auth.secret_file import secret_beside\n"
    code += "os.umask(0); secret_beside(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert 0o600 == (tmp_path / FILE_NAME).stat().st_mode & 0o777
