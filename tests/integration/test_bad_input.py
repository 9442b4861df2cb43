"""What users get wrong: one clear line each, exit code not 0, nothing half-done."""

import shutil

import pytest

pytestmark = pytest.mark.engine


def refusal(done):
    """The one line of a refused command."""
    assert done.returncode != 0
    text = (done.stderr.strip() or done.stdout.strip()).splitlines()
    assert "Traceback" not in done.stdout + done.stderr
    return text[-1]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("upload", "ssh-logs", "/no/such.log"), "/no/such.log: no such file or folder"),
        (("upload", "ssh-logs"), "say what to upload: a PATH, or --sample"),
        (("upload", "sssh-logs", "/etc/hostname"), "unknown workload 'sssh-logs'; there are: "),
        (("run", "nope"), "unknown workload 'nope'; there are: "),
        (("run", "ssh-logs", "-p", "year=two"), "parameter 'year' takes an integer, not 'two'"),
        (("run", "ssh-logs", "-p", "yaer=2024"), "workload 'ssh-logs' has no parameter 'yaer'"),
        (("run", "ssh-logs", "-p", "year"), "--param takes NAME=VALUE, not 'year'"),
        (("run", "ssh-logs", "--job", "stream"), "workload 'ssh-logs' has no job 'stream'; it has batch"),
        (("run", "ssh-logs"), "stack 'local' is not up in the simulated cloud: run `make up STACK=local"),
        (("status", "ssh-logs", "--stack", "moon"), "STACK=moon: there is no such stack"),
        (("status", "ssh-logs", "--cloud", "azure"), "STACK=local is always simulated"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(fresh, command, said):
    done = fresh.call("medallion", *command)
    assert said in refusal(done)
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (fresh.home / "cloud.sqlite").exists()


def test_a_folder_without_files_is_refused(fresh, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "the folder holds no files" in refusal(
        fresh.call("medallion", "upload", "ssh-logs", str(tmp_path / "empty"))
    )


def test_a_misspelt_setting_is_named_before_anything_is_declared(project_copy):
    settings = project_copy.root / "Pulumi.local.yaml"
    settings.write_text(settings.read_text().replace("medallion:location:", "medallion:locaton:"))
    done = project_copy.call("toolchain.stack", "up", "--stack", "local")
    assert done.returncode != 0
    assert "medallion:locat" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert project_copy.resources() == []


def test_a_bad_value_is_named_before_anything_is_declared(project_copy):
    settings = project_copy.root / "Pulumi.local.yaml"
    settings.write_text(settings.read_text() + "  medallion:protect: perhaps\n")
    done = project_copy.call("toolchain.stack", "up", "--stack", "local")
    assert done.returncode != 0
    assert "medallion:protect: " in done.stdout
    assert project_copy.resources() == []


@pytest.mark.spark
def test_without_java_a_run_says_so(standing, tmp_path):
    """A machine without Java: an empty PATH but for the shell's own tools, no JAVA_HOME."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "env", "ps", "git"):
        (tools / name).symlink_to(shutil.which(name))
    standing.succeed("medallion", "upload", "ssh-logs", "--sample", "--replace")
    done = standing.call("medallion", "run", "ssh-logs", PATH=str(tools), JAVA_HOME=str(tmp_path / "no-java"))
    assert "Java" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode != 0
