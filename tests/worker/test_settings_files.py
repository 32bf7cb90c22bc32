"""Every setting may lie in a file: secrets are mounted, not written into an environment."""

from pathlib import Path

import pytest

from model.text import Refused
from worker.settings import Settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mounted"
    path.write_text("hidden words\n")
    return path


@pytest.mark.parametrize("name", ["token", "secret", "store_password", "smtp_password", "keys_grafana"])
def test_a_secret_is_read_from_the_file_that_is_named(name: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"ALLCLEAR_{name.upper()}_FILE", str(file))
    settings = Settings()
    assert getattr(settings, name).get_secret_value() == "hidden words"
    assert "hidden words" not in repr(settings)


def test_what_is_no_secret_can_lie_in_a_file_too(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("8601\n")
    monkeypatch.setenv("ALLCLEAR_GATEWAY_PORT_FILE", str(file))
    assert Settings().gateway_port == 8601


def test_a_value_that_is_there_twice_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLCLEAR_TOKEN_FILE", str(file))
    monkeypatch.setenv("ALLCLEAR_TOKEN", "another")
    with pytest.raises(Refused, match=r"^ALLCLEAR_TOKEN and ALLCLEAR_TOKEN_FILE are both set: keep one$"):
        Settings()


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, r"cannot be read \(No such file or directory\)"), (b" \n", "is empty"), (b"\xff\xfe", "is not text")],
)
def test_a_file_that_holds_no_secret_stops_everything(
    content: bytes | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty token would let everybody in."""
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("ALLCLEAR_TOKEN_FILE", str(path))
    with pytest.raises(Refused, match=f"^ALLCLEAR_TOKEN_FILE: .*token {words}$"):
        Settings()


def test_a_variable_that_names_no_file_is_as_if_it_were_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLCLEAR_TOKEN_FILE", "")
    assert Settings().token.get_secret_value() == ""


def test_the_databases_password_joins_its_url(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("p@ss/w:rd %")
    monkeypatch.setenv("ALLCLEAR_STORE", "postgresql://allclear@db.example.test:5433/allclear?sslmode=require")
    monkeypatch.setenv("ALLCLEAR_STORE_PASSWORD_FILE", str(file))
    url = "postgresql://allclear:p%40ss%2Fw%3Ard%20%25@db.example.test:5433/allclear?sslmode=require"
    assert Settings().store_url == url


@pytest.mark.parametrize(
    "store", ["", "sqlite:///allclear.db", "postgresql://db.example.test/allclear", "postgresql://a:b@db/allclear"]
)
def test_a_password_without_a_place_is_refused(store: str) -> None:
    with pytest.raises(Refused, match="ALLCLEAR_STORE has no place for it") as caught:
        _ = Settings(store=store, store_password="hidden words").store_url  # type: ignore[arg-type]
    assert "hidden" not in str(caught.value)
