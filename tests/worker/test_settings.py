"""Settings: from the environment, and sensible without."""

import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from model.text import Refused
from worker.settings import Settings


def test_every_field_is_an_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLCLEAR_SMTP_TLS", "tls")
    monkeypatch.setenv("ALLCLEAR_METRICS_PORT", "9464")
    settings = Settings()
    assert (settings.smtp_tls, settings.metrics_port) == ("tls", 9464)


def test_metrics_are_for_this_machine_unless_another_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(Settings().metrics_host) == "127.0.0.1"
    monkeypatch.setenv("ALLCLEAR_METRICS_HOST", "::")
    assert str(Settings().metrics_host) == "::"
    monkeypatch.setenv("ALLCLEAR_METRICS_HOST", "everywhere")
    with pytest.raises(ValidationError, match="metrics_host"):
        Settings()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET", "TOKEN", "SMTP_PASSWORD"):
        monkeypatch.setenv(f"ALLCLEAR_{name}", "hidden words")
    assert "hidden words" not in repr(Settings())


def test_the_secret_is_made_once_for_our_eyes_only(settings: Settings) -> None:
    made = settings.the_secret()
    assert len(made) == 64
    assert settings.the_secret() == made
    assert stat.S_IMODE((settings.data / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.data.stat().st_mode) == 0o700
    assert [path.name for path in settings.data.iterdir()] == ["secret"]


def test_a_secret_that_cannot_be_kept_is_said(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(Refused, match="ALLCLEAR_SECRET"):
        settings.the_secret()


def test_an_empty_secret_proves_nothing(settings: Settings) -> None:
    settings.data.mkdir()
    (settings.data / "secret").touch()
    with pytest.raises(Refused, match="is empty"):
        settings.the_secret()
