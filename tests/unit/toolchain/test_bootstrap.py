"""bootstrap.sh: which Python it takes, what it installs, and when it has nothing to do.

The Pythons are scripts that note what they are asked to do.
"""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

UV = "uv==1.0 \\\n    --hash=sha256:bb\n    # via medallion\n"
LOCK = f"other==1 \\\n    --hash=sha256:aa\n{UV}zzz==1 \\\n    --hash=sha256:cc\n"


@pytest.fixture
def checkout(tmp_path: Path, project_root: Path) -> Path:
    """A checkout with spaces in its path, with nothing set up."""
    root = tmp_path / "my checkout"
    (root / "toolchain").mkdir(parents=True)
    shutil.copy(project_root / "toolchain" / "bootstrap.sh", root / "toolchain")
    (root / "requirements.txt").write_text(LOCK, encoding="utf-8")
    (root / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    return root


def fake_python(log: Path, version: str, minor: str, environments: bool = True) -> str:
    """A script that answers like a Python of a version; `-m venv` makes an environment with the script itself."""
    return f"""#!/bin/sh
case "$*" in
    -V) echo "Python {version}" ;;
    *version_info*) [ {minor} = 11 ] || [ {minor} = 12 ] && echo True || echo False ;;
    *sys.version*) echo "{version}" ;;
    *ensurepip*) exit {0 if environments else 1} ;;
    "-m pip --version") ;;
    "-m venv --clear "*)
        echo "venv {version}" >> "{log}"
        mkdir -p "$4/bin"; cp "$0" "$4/bin/python"
        printf '#!/bin/sh\\necho "uv $*" >> "{log}"\\n' > "$4/bin/uv"; chmod +x "$4/bin/uv" ;;
    "-m pip "*) echo "$*" >> "{log}"; for last; do :; done; [ -d "$last" ] || cat "$last" > "{log}.lock" ;;
esac
"""


@pytest.fixture
def bootstrap(checkout: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the script where only the system's tools and the given commands are on PATH."""
    commands = tmp_path / "commands"
    commands.mkdir()
    for name in ("awk", "cat", "cksum", "cp", "df", "dirname", "head", "mkdir", "rm", "sh", "chmod"):
        (commands / name).symlink_to(shutil.which(name))

    def run(**pythons: str) -> subprocess.CompletedProcess[str]:
        for name, text in pythons.items():
            path = commands / name.replace("_", ".")
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755)
        return subprocess.run(
            ["sh", str(checkout / "toolchain" / "bootstrap.sh")],
            env={"PATH": str(commands), "PYENV_ROOT": str(tmp_path / "pyenv")},
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )

    return run


def test_the_lock_and_the_project_are_installed_once(bootstrap, checkout: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = bootstrap(python3_12=fake_python(log, "3.12.1", "12"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "set-up: Python packages into .venv (2.2 GB, with Python 3.12.1) …\n"
    cache = checkout / ".tools" / "cache"
    assert log.read_text(encoding="utf-8").splitlines() == [
        "venv 3.12.1",
        f"-m pip install --quiet --require-hashes --no-deps -r {cache}/uv.txt",
        f"uv pip install --quiet --compile-bytecode --require-hashes -r {checkout}/requirements.txt",
        f"-m pip install --quiet --no-deps --no-build-isolation --editable {checkout}",
    ]
    assert Path(f"{log}.lock").read_text(encoding="utf-8") == UV
    assert not cache.exists()
    again = bootstrap()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert len(log.read_text(encoding="utf-8").splitlines()) == 4


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_a_changed_lock_or_project_is_installed_into_the_same_environment(
    bootstrap, checkout: Path, tmp_path: Path, name: str
) -> None:
    log = tmp_path / "log"
    bootstrap(python3_12=fake_python(log, "3.12.1", "12"))
    with (checkout / name).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    log.unlink()
    assert bootstrap().returncode == 0
    lines = log.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert not any(line.startswith("venv") for line in lines)


def test_a_shim_that_does_not_work_and_a_python_that_is_too_new_are_passed_over(bootstrap, tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = bootstrap(
        python3_12="#!/bin/sh\necho 'pyenv: python3.12: command not found' >&2\nexit 127\n",
        python3=fake_python(log, "3.13.0", "13"),
        python=fake_python(log, "3.11.7", "11"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert log.read_text(encoding="utf-8").startswith("venv 3.11.7\n")


def test_pythons_that_pyenv_holds_are_found(bootstrap, tmp_path: Path) -> None:
    log = tmp_path / "log"
    path = tmp_path / "pyenv" / "versions" / "3.12.1" / "bin" / "python"
    path.parent.mkdir(parents=True)
    path.write_text(fake_python(log, "3.12.1", "12"), encoding="utf-8")
    path.chmod(0o755)
    assert bootstrap().returncode == 0
    assert log.read_text(encoding="utf-8").startswith("venv 3.12.1\n")


def test_without_a_fitting_python_one_line_says_what_to_install(bootstrap, checkout: Path, tmp_path: Path) -> None:
    done = bootstrap(python3=fake_python(tmp_path / "log", "3.10.13", "10"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: Python 3.11 or 3.12 is needed and none was found on PATH, in PYTHON or in pyenv: "
        "install one (python.org)\n"
    )
    assert not (checkout / ".venv").exists()


def test_a_python_that_cannot_make_environments_is_named(bootstrap, tmp_path: Path) -> None:
    done = bootstrap(python3_11=fake_python(tmp_path / "log", "3.11.2", "11", environments=False))
    assert done.returncode == 1
    assert done.stderr == ("error: python3.11 lacks the modules venv and ensurepip: install python3-venv for it\n")


def test_a_full_disk_is_told_before_anything_is_made(bootstrap, checkout: Path, tmp_path: Path) -> None:
    df = tmp_path / "commands" / "df"
    df.unlink()
    df.write_text("#!/bin/sh\necho Filesystem\necho '/dev/x 9000000 8000000 1000000 89% /'\n", encoding="utf-8")
    df.chmod(0o755)
    done = bootstrap(python3_12=fake_python(tmp_path / "log", "3.12.1", "12"))
    assert done.returncode == 1
    assert done.stderr == f"error: set-up needs 5000 MB on the disk of {checkout}; 1000 MB are free\n"
    assert sorted(path.name for path in checkout.iterdir()) == ["pyproject.toml", "requirements.txt", "toolchain"]


def test_an_installation_that_fails_is_done_again(bootstrap, checkout: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    broken = fake_python(log, "3.12.1", "12").replace('"-m pip "*)', '"-m pip "*) exit 1 ;; never)')
    done = bootstrap(python3_12=broken)
    assert done.returncode == 1
    assert "error: the Python packages could not be installed (see above): check network, proxy and disk" in done.stderr
    assert not (checkout / ".venv" / "medallion.stamp").exists()
    assert bootstrap().returncode == 1


def test_an_environment_that_is_a_link_is_left_alone(bootstrap, checkout: Path, tmp_path: Path) -> None:
    """`python -m venv --clear` empties the folder that a link names: that of another checkout."""
    other = tmp_path / "other"
    other.mkdir()
    (checkout / ".venv").symlink_to(other)
    done = bootstrap(python3_12=fake_python(tmp_path / "log", "3.12.1", "12"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: {checkout}/.venv is a link, and set-up would empty the folder that it names: remove the link\n"
    )
    assert list(other.iterdir()) == []
