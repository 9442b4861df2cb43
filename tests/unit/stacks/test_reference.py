"""The pages of `docs/reference/` say what the models say."""

import pytest

from stacks import reference


@pytest.mark.parametrize("name", ["settings.md", "outputs.md"])
def test_a_page_is_up_to_date(name):
    page = (reference.FOLDER / name).read_text(encoding="utf-8")
    assert page == reference.pages()[name], "renew it: .venv/bin/python -m stacks.reference"


def test_no_page_is_left_over():
    assert sorted(path.name for path in reference.FOLDER.iterdir()) == sorted(reference.pages())


@pytest.mark.parametrize(
    "row",
    [
        "| `protect` | true or false | `false` | refuse to delete the data lake and what governs it |",
        "| `redundancy` | `LRS` or `ZRS` or `GRS` or `GZRS` | required |  |",
        "| `user.fewest` | whole number from 0 to 1000 | required |  |",
        "| `spot.vm_size` | text |  |  |",
        '| `orchestration` | `notebooks` or `databricks-job` | `"notebooks"` |  |',
        '| `jobs.minutes_a_run` | name → number from 0 | `{"default": 15}` | minutes of a run, by job or workload |',
    ],
)
def test_a_setting_has_its_type_and_default(row):
    assert row in reference.settings().splitlines()
