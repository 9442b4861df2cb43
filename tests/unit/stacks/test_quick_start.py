"""What the program does first: less of an SDK is loaded than there is."""

import subprocess
import sys

import pytest

from stacks.quick_start import load_lazily


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """A package as Pulumi generates SDKs: a module for each class and each function."""
    (tmp_path / "acme_sdk").mkdir()
    for name, text in {
        "__init__": "raise RuntimeError('all of it is loaded')",
        "storage_credential": "class StorageCredential: pass",
        "get_job": "def get_job(): return 7",
        "sql_table": "",
    }.items():
        (tmp_path / "acme_sdk" / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    load_lazily("acme_sdk")
    yield sys.modules["acme_sdk"]
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme_sdk"]:
        del sys.modules[name]


def test_a_class_is_loaded_from_the_module_of_its_name_and_no_other(acme):
    assert acme.StorageCredential.__name__ == "StorageCredential"
    assert {name for name in sys.modules if name.startswith("acme_sdk.")} == {"acme_sdk.storage_credential"}


def test_a_function_stays_one_once_its_module_of_the_same_name_is_loaded(acme):
    assert [acme.get_job(), acme.get_job()] == [7, 7]


def test_what_has_no_module_of_its_name_is_named(acme):
    with pytest.raises(AttributeError, match=r"^module 'acme_sdk' has no class 'SqlTables' in a module of its name$"):
        _ = acme.SqlTables


def test_the_program_collects_no_garbage_and_has_loaded_nothing_yet_of_the_sdk_of_databricks():
    code = (
        "import gc, sys, stacks.quick_start; "
        "print(gc.isenabled(), [name for name in sys.modules if name.startswith('pulumi')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False ['pulumi_databricks']\n"
