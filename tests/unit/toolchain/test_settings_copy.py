"""The copy of a stack's settings that a simulated stack uses."""

from pathlib import Path

import pytest

from toolchain import settings_copy
from toolchain.errors import UserError

SALT = "v1:abc"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    tracked = tmp_path / "Pulumi.dev.yaml"
    tracked.write_text("# sizes\nconfig:\n  medallion:nodes: 2\n", encoding="utf-8")
    return tracked, tmp_path / "home" / "stacks" / "Pulumi.dev.yaml"


def test_the_copy_is_made_and_keeps_the_salt_that_the_engine_wrote(files: tuple[Path, Path]) -> None:
    tracked, copy = files
    settings_copy.refresh(tracked, copy)
    assert copy.read_text(encoding="utf-8") == "config:\n  medallion:nodes: 2\n"
    copy.write_text(f"{copy.read_text(encoding='utf-8')}encryptionsalt: {SALT}\n", encoding="utf-8")
    before = tracked.read_text(encoding="utf-8")
    settings_copy.refresh(tracked, copy)
    assert settings_copy.read(copy) == {"config": {"medallion:nodes": 2}, "encryptionsalt": SALT}
    assert tracked.read_text(encoding="utf-8") == before


def test_the_copy_follows_the_tracked_file(files: tuple[Path, Path]) -> None:
    tracked, copy = files
    settings_copy.refresh(tracked, copy)
    copy.write_text(f"config:\n  medallion:nodes: 2\n  medallion:old: 1\nencryptionsalt: {SALT}\n", encoding="utf-8")
    tracked.write_text("config:\n  medallion:nodes: 3\n", encoding="utf-8")
    settings_copy.refresh(tracked, copy)
    assert settings_copy.read(copy) == {"config": {"medallion:nodes": 3}, "encryptionsalt": SALT}


def test_an_equal_copy_is_not_written_again(files: tuple[Path, Path]) -> None:
    tracked, copy = files
    settings_copy.refresh(tracked, copy)
    before = copy.stat().st_ino
    settings_copy.refresh(tracked, copy)
    assert copy.stat().st_ino == before


def test_nothing_of_the_real_stacks_encryption_reaches_the_copy() -> None:
    tracked = {
        "secretsprovider": "azurekeyvault://x",
        "encryptedkey": "k",
        "encryptionsalt": "real",
        "config": {"databricks:token": {"secure": "v1:cipher"}, "databricks:list": [{"token": {"secure": "c"}}, 1]},
    }
    assert settings_copy.merged(tracked, {"encryptionsalt": SALT, "config": {"medallion:gone": 1}}) == {
        "config": {"databricks:token": "simulated-secret", "databricks:list": [{"token": "simulated-secret"}, 1]},
        "encryptionsalt": SALT,
    }


@pytest.mark.parametrize("value", [{"secure": "v1:cipher"}, {"team": {"secure": "v1:cipher"}}, [{"secure": "c"}]])
def test_a_secret_among_our_own_settings_is_refused_as_for_azure(value: object) -> None:
    with pytest.raises(UserError, match=r"^medallion:tags: a setting cannot be secret: put the value into the key"):
        settings_copy.merged({"config": {"medallion:location": "eastus", "medallion:tags": value}}, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: {a: 1\nb: ]", r"Pulumi\.dev\.yaml:2: not valid YAML"),
        ("- a\n- b\n", r"Pulumi\.dev\.yaml: expected keys and values, found list"),
    ],
)
def test_a_settings_file_that_cannot_be_read_is_one_clear_error(
    files: tuple[Path, Path], text: str, message: str
) -> None:
    tracked, copy = files
    tracked.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        settings_copy.refresh(tracked, copy)
    assert not copy.exists()


def test_a_missing_settings_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Pulumi\.qa\.yaml is missing"):
        settings_copy.refresh(tmp_path / "Pulumi.qa.yaml", tmp_path / "copy.yaml")
