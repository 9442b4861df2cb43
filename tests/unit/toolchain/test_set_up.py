"""How Pulumi, Java and the jars are chosen, and what is said where they cannot be had."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import download, jars, java, paths, pulumi, setup, simulated
from toolchain.errors import UserError

Script = Callable[[str, str], Path]

JAVA_17 = """Property settings:
    java.home = /usr/lib/jvm/java 17
    java.specification.version = 17
    java.version = 17.0.15
openjdk version "17.0.15" 2025-04-15
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `.tools` of its own."""
    folder = tmp_path / "my tools"
    monkeypatch.setattr(paths, "tools", lambda: folder)
    return folder


def nothing(_: str) -> None:
    """Progress that nobody watches."""


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("v3.250.0\n", True),
        ("3.250.1", True),
        ("v3.300.0-alpha.1+abc", True),
        ("v3.249.9", False),
        ("v4.0.0", False),
        ("v2.999.0", False),
        ("", False),
        ("pulumi", False),
    ],
)
def test_versions_of_pulumi(answer: str, expected: bool) -> None:
    assert pulumi.fits(answer) is expected


@pytest.mark.parametrize(("version", "taken"), [("v3.260.0", True), ("v3.100.0", False)])
def test_a_pulumi_on_path_is_taken_if_it_fits(script: Script, version: str, taken: bool) -> None:
    found = script("pulumi", f"echo {version}")
    script("pulumi-language-python", "")
    assert pulumi.installed({"PATH": str(found.parent)}) == (found if taken else None)


def test_a_pulumi_without_its_language_host_is_not_taken(script: Script) -> None:
    found = script("pulumi", "echo v3.260.0")
    assert pulumi.installed({"PATH": str(found.parent)}) is None


def fill(folder: Path) -> bool:
    (folder / "bin" / "pulumi").write_text("", encoding="utf-8")
    return True


def half(folder: Path) -> bool:
    fill(folder)
    return False


def test_pulumi_is_downloaded_before_it_is_built(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "installed", lambda: None)
    monkeypatch.setattr(pulumi, "download", fill)
    said: list[str] = []
    assert pulumi.install(said.append) == tools / "pulumi" / "bin" / "pulumi"
    assert said == ["Pulumi 3.250.0: download"]
    assert pulumi.find() == pulumi.install(said.append) == tools / "pulumi" / "bin" / "pulumi"
    assert [path.name for path in tools.iterdir()] == ["pulumi"]
    assert len(said) == 1


def test_pulumi_is_built_where_it_cannot_be_downloaded(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "installed", lambda: None)
    monkeypatch.setattr(pulumi, "download", half)
    monkeypatch.setattr(pulumi, "build", lambda go, folder: fill(folder))
    monkeypatch.setattr(pulumi.shutil, "which", lambda name: f"/go/{name}")
    said: list[str] = []
    assert pulumi.install(said.append).is_file()
    assert said[1:] == ["Pulumi 3.250.0: build from its Go module (about 3 minutes)"]


@pytest.mark.parametrize(
    ("go", "message"),
    [(None, "could not be downloaded .* there is no Go to build it"), ("/go", "neither be downloaded nor built")],
)
def test_a_pulumi_that_cannot_be_had_leaves_nothing(
    tools: Path, monkeypatch: pytest.MonkeyPatch, go: str | None, message: str
) -> None:
    monkeypatch.setattr(pulumi, "installed", lambda: None)
    monkeypatch.setattr(pulumi, "download", half)
    monkeypatch.setattr(pulumi, "build", lambda go, folder: half(folder))
    monkeypatch.setattr(pulumi.shutil, "which", lambda name: go)
    with pytest.raises(UserError, match=message):
        pulumi.install(nothing)
    assert list(tools.iterdir()) == []
    with pytest.raises(UserError, match="Pulumi is not set up: run `make up`"):
        pulumi.find()


def test_a_build_leaves_what_pulumis_installer_would(
    tools: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `go` that notes its arguments and module file, and makes what it is asked for."""
    go = script(
        "go",
        f"""
case "$1" in
    env) echo '{{"GOENV": "/user/env", "GOMODCACHE": "/user/mod", "GOPROXY": "https://proxy,direct"}}' ;;
    build) echo "$GOPROXY $GOENV" > "{tools.parent}/environment"; cp go.mod "{tools.parent}"; echo > "$5" ;;
    list) mkdir -p sdk/python/cmd; echo exec > sdk/python/cmd/pulumi-language-python-exec; echo "$PWD/sdk" ;;
esac""",
    )
    tools.mkdir()
    assert pulumi.attempt(lambda folder: pulumi.build(str(go), folder))
    folder = tools / "pulumi" / "bin"
    assert sorted(path.name for path in folder.iterdir()) == [
        "pulumi",
        "pulumi-language-python",
        "pulumi-language-python-exec",
    ]
    assert os.access(folder / "pulumi-language-python", os.X_OK)
    assert (tools.parent / "environment").read_text(encoding="utf-8") == (
        "file:///user/mod/cache/download,https://proxy,direct /user/env\n"
    )
    # without a go line the whole module graph would be loaded
    assert "\ngo 1." in (tools.parent / "go.mod").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (JAVA_17, 17),
        ("    java.specification.version = 1.8\n", 8),
        ("    java.specification.version = 25\n", 25),
        ('openjdk version "17.0.15"', None),
    ],
)
def test_the_version_of_java(text: str, expected: int | None) -> None:
    assert java.version(text) == expected


def test_the_folder_of_java() -> None:
    assert java.location(JAVA_17) == Path("/usr/lib/jvm/java 17")
    assert java.location("no settings") is None


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets only the given executables be candidates."""

    def candidates(*executables: Path) -> None:
        monkeypatch.setattr(java, "candidates", lambda environment: iter(executables))

    return candidates


def write_java(folder: Path, version: int) -> Path:
    executable = folder / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(
        f'#!/bin/sh\necho "    java.home = {folder}" >&2\necho "    java.specification.version = {version}" >&2\n',
        encoding="utf-8",
    )
    executable.chmod(0o755)
    return executable


def test_the_first_java_that_fits_is_taken(tmp_path: Path, only: Callable[..., None]) -> None:
    broken = tmp_path / "broken"
    broken.write_text("", encoding="utf-8")
    old, new, right = (write_java(tmp_path / f"java {version}", version) for version in (11, 25, 21))
    only(tmp_path / "missing", broken, old, new, right)
    assert java.find() == tmp_path / "java 21"


def test_java_home_comes_before_path(tmp_path: Path, tools: Path) -> None:
    first = write_java(tmp_path / "home", 17)
    second = write_java(tmp_path / "path", 17)
    third = write_java(tools / "java" / "jdk-17", 17)
    environment = {"JAVA_HOME": str(tmp_path / "home"), "PATH": str(second.parent)}
    assert list(java.candidates(environment))[:3] == [first, second, third]


def test_a_java_that_cannot_be_had_is_one_clear_error(
    only: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    only()
    monkeypatch.setattr(java, "fetch", lambda: "no route to host")
    monkeypatch.setattr(java, "may_use_apt", lambda: False)
    with pytest.raises(UserError, match=r"Java 17 is needed and could not be fetched \(no route to host\): .* install"):
        java.install(nothing)
    with pytest.raises(UserError, match=r"no Java 17 or 21 found by JAVA_HOME, on PATH or in \.tools: run `make up`"):
        java.find()


def test_the_package_is_the_last_resort(
    tmp_path: Path, only: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    only()
    monkeypatch.setattr(java, "fetch", lambda: "no route to host")
    monkeypatch.setattr(java, "may_use_apt", lambda: True)
    monkeypatch.setattr(java, "install_package", lambda: only(write_java(tmp_path / "java", 17)))
    said: list[str] = []
    assert java.install(said.append) == tmp_path / "java"
    assert said == [
        "Java 17: download (Temurin, 50 MB)",
        "Java 17: openjdk-17-jre-headless (the download failed: no route to host)",
    ]


JAR = jars.Jar("io.example", "thing_2.13", "1.0", hashlib.sha256(b"jar").hexdigest())


@pytest.fixture
def one_jar(tools: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of the only jar that is needed; there is none yet."""
    monkeypatch.setattr(jars, "listed", lambda name: [JAR])
    return tools / "jars" / "thing_2.13-1.0.jar"


def test_the_address_of_a_jar() -> None:
    assert JAR.url == "https://repo1.maven.org/maven2/io/example/thing_2.13/1.0/thing_2.13-1.0.jar"
    assert JAR.coordinates == "io.example:thing_2.13:1.0"


def test_a_list_pins_each_jar_by_its_content() -> None:
    native = jars.Jar("io.example", "thing", "1.0", "ff", "linux-x86_64")
    assert jars.parse("io.example:thing_2.13:1.0 aa\nio.example:thing:1.0:linux-x86_64 ff\n") == [
        jars.Jar("io.example", "thing_2.13", "1.0", "aa"),
        native,
    ]
    assert native.file_name == "thing-1.0-linux-x86_64.jar"
    assert native.coordinates == "io.example:thing:1.0:linux-x86_64"
    assert "<version>1.0</version><classifier>linux-x86_64</classifier>" in jars.pom([native])


@pytest.mark.parametrize(
    ("name", "main"),
    [
        (jars.DELTA, "io.delta:delta-spark_2.13:4.0.1"),
        (jars.CASSANDRA, "org.apache.cassandra:cassandra-all:5.0.9"),
        (jars.KAFKA, "org.apache.kafka:kafka_2.13:4.1.2"),
        (jars.KAFKA_CONNECTOR, "org.apache.spark:spark-sql-kafka-0-10_2.13:4.0.0"),
    ],
)
def test_what_a_list_is_about_is_in_it_and_every_jar_is_pinned(name: str, main: str) -> None:
    found = jars.listed(name)
    assert main in [jar.coordinates for jar in found]
    assert all(len(jar.sha256) == 64 for jar in found)
    assert len({jar.file_name for jar in found}) == len(found)


def from_disk(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serves `content` as every jar."""
    source = tmp_path / "source"
    source.write_bytes(content)
    monkeypatch.setattr(jars.Jar, "url", property(lambda self: source.as_uri()))


def test_a_jar_is_fetched_once(one_jar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from_disk(b"jar", tmp_path, monkeypatch)
    with pytest.raises(UserError, match=r"thing_2\.13-1\.0\.jar missing in .*: run `make up`"):
        jars.find()
    said: list[str] = []
    assert jars.install(said.append) == [one_jar]
    assert one_jar.read_bytes() == b"jar"
    assert jars.install(said.append) == jars.find() == [one_jar]
    assert said == ["io.example:thing_2.13:1.0: download"]


def test_another_file_than_the_pinned_one_is_refused(
    one_jar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_disk(b"other", tmp_path, monkeypatch)
    with pytest.raises(UserError, match=f"thing_2.13-1.0.jar: .* expected {JAR.sha256}"):
        jars.install(nothing)
    assert list(one_jar.parent.iterdir()) == []


def test_maven_helps_where_the_repository_is_out_of_reach(
    one_jar: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download.urllib.request, "urlopen", refuse)
    maven = script("mvn", 'for option; do :; done; printf jar > "${option#-DoutputDirectory=}/thing_2.13-1.0.jar"')
    monkeypatch.setattr(jars.shutil, "which", lambda name: str(maven))
    assert jars.install(nothing) == [one_jar]
    assert one_jar.read_bytes() == b"jar"


def test_a_jar_that_cannot_be_had_is_one_clear_error(one_jar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download.urllib.request, "urlopen", refuse)
    monkeypatch.setattr(jars.shutil, "which", lambda name: None)
    with pytest.raises(
        UserError, match=r"io\.example:thing_2\.13:1\.0 could not be fetched .*no route.* check network"
    ):
        jars.install(nothing)
    assert not one_jar.exists()


def refuse(*_: object, **__: object) -> None:
    raise OSError("no route to host")


def test_set_up_does_the_named_parts_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []
    parts = {name: lambda progress, name=name: done.append(name) for name in ("pulumi", "java", "jars")}
    monkeypatch.setattr(setup, "PARTS", parts)
    assert setup.main(["java"]) == 0
    assert setup.main([]) == 0
    assert done == ["java", "pulumi", "java", "jars"]
    with pytest.raises(SystemExit):
        setup.main(["go"])
    assert "unknown: go; choose from pulumi, java, jars" in capsys.readouterr().err


def test_the_simulated_providers_are_executables_that_survive_spaces(
    tools: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = script("../my python/python", 'printf "%s|" "$@"')
    monkeypatch.setattr(paths, "python", lambda: python)
    folder = simulated.install()
    assert sorted(path.name for path in folder.iterdir()) == [
        "pulumi-resource-azure-native",
        "pulumi-resource-databricks",
        "pulumi-resource-kubernetes",
    ]
    answer = os.popen(f"'{folder}/pulumi-resource-databricks' 127.0.0.1:1").read()
    assert answer == "-m|simulator.provider|databricks|127.0.0.1:1|"
    before = (folder / "pulumi-resource-databricks").stat().st_ino
    simulated.install()
    assert (folder / "pulumi-resource-databricks").stat().st_ino == before
