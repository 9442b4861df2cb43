"""What the workflow of pull requests computes: the stacks that a change touches, and its one comment."""

import pytest

from toolchain.preview_comment import LIMIT, MARKER, comment, summary
from toolchain.touched_stacks import STACKS, touched

CREATES = "Previewing update (dev):\n\nResources:\n    + 3 to create\n    +-1 to replace\n    4 changes. 70 unchanged\n"
SAME = "Resources:\n    74 unchanged\n"


@pytest.mark.parametrize(
    ("files", "stacks"),
    [
        (["Pulumi.dev.yaml"], ["dev"]),
        (["Pulumi.prod.yaml", "Pulumi.dev.yaml", "README.md"], ["dev", "prod"]),
        (["docs/architecture.md", "README.md", "workloads/ssh_logs/README.md"], []),
        (["components/data_lake.py"], list(STACKS)),
        (["workloads/ssh_logs/messages.toml"], list(STACKS)),
        (["requirements.txt"], list(STACKS)),
        ([], []),
    ],
)
def test_touched_stacks(files, stacks):
    assert touched(files) == stacks


def test_every_settings_file_is_a_known_stack(project_root):
    names = {file.name.split(".")[1] for file in project_root.glob("Pulumi.*.yaml")}
    assert names == set(STACKS)


@pytest.mark.parametrize(
    ("output", "said"),
    [(CREATES, "3 to create, 1 to replace"), (SAME, "no changes"), ("error: no such key", "failed"), ("", "failed")],
)
def test_summary(output, said):
    assert summary(output) == said


def test_comment_names_every_stack_once_and_fences_its_output():
    text = comment({"prod": SAME, "dev": "\x1b[1m" + CREATES + "```\n"})
    assert text.startswith(MARKER)
    assert text.index("<b>dev</b>") < text.index("<b>prod</b>")
    assert "\x1b" not in text
    assert text.count("```") == 4


def test_a_long_output_keeps_its_end_and_the_comment_its_limit():
    text = comment({"dev": "x\n" * LIMIT + SAME, "prod": "y\n" * LIMIT + SAME})
    assert len(text) <= LIMIT + 200
    assert text.count("74 unchanged") == 2


def test_a_change_that_touches_no_stack_says_so():
    assert "touches no stack" in comment({})
