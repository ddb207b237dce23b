"""The bundled DynamoDB Local: its command line, and until when LocalStack has to be patched."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError
from localstack.services.dynamodb.server import DynamodbServer

from tests.support.ports import free_port
from tests.support.waiting import eventually
from trigger_stack.localstack.dynamodb.server import BundledDynamodbServer
from trigger_stack.services.dynamodb_local import process as module
from trigger_stack.services.dynamodb_local.process import DynamoDBLocalMissingError

FOLDER = Path(module.__file__).parent
CLASSES = sorted(FOLDER.glob("*.class"))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like DynamoDB Local, and a java on PATH that nobody runs."""
    folder = tmp_path / "dynamodb-local"
    folder.mkdir()
    (folder / "DynamoDBLocal.jar").write_bytes(b"")
    java = tmp_path / "bin/java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\nexit 1\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(java.parent))
    monkeypatch.setenv("DYNAMODB_LOCAL_DIR", str(folder))
    monkeypatch.delenv("DYNAMODB_IN_MEMORY", raising=False)
    return folder


def command() -> list[str]:
    return BundledDynamodbServer(4999)._create_shell_command()


def test_the_command_line(installed: Path, tmp_path: Path) -> None:
    line = command()

    assert line[0] == str(tmp_path / "bin/java")
    assert f"-Djava.library.path={installed}/DynamoDBLocal_lib" in line
    assert line[line.index("-cp") + 1] == f"{FOLDER}{os.pathsep}{installed}/DynamoDBLocal.jar"
    assert line[line.index("-port") + 1] == "4999"
    assert line.index("LoopbackServer") < line.index("-port")
    assert not [part for part in line if "javaagent" in part]


def test_tables_are_kept_in_a_file(installed: Path) -> None:
    line = command()

    assert Path(line[line.index("-dbPath") + 1]).is_absolute()
    assert "-inMemory" not in line


def test_tables_in_memory_when_asked_for(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMODB_IN_MEMORY", "1")

    assert "-inMemory" in command()
    assert "-dbPath" not in command()


def test_the_heap_is_a_setting(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from localstack import config

    monkeypatch.setattr(config, "DYNAMODB_HEAP_SIZE", "123m")

    assert "-Xmx123m" in command()


def test_it_listens_where_only_this_machine_can_connect(installed: Path) -> None:
    assert BundledDynamodbServer(4999).host == "127.0.0.1"


def test_it_sends_nothing_to_aws(installed: Path, tmp_path: Path) -> None:
    """With ``-disableTelemetry`` alone it asks Cognito for an identity at its start."""
    seen = tmp_path / "seen"
    (tmp_path / "bin/java").write_text(
        f"#!/bin/sh\necho $DDB_LOCAL_TELEMETRY >{seen}.new\n"
        + (f"/bin/mv {seen}.new {seen}\nread -r _\n")
    )
    server = BundledDynamodbServer(4999)
    Path(server.db_path).mkdir(parents=True, exist_ok=True)

    server.do_start_thread()
    try:
        assert eventually(seen.exists) and seen.read_text() == "0\n"
    finally:
        server.do_shutdown()


def test_dynamodb_local_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMODB_LOCAL_DIR", str(tmp_path))

    with pytest.raises(DynamoDBLocalMissingError, match="Install it with: make setup"):
        command()


def test_java_is_missing(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(DynamoDBLocalMissingError, match=r"Java 17 or newer.*no “java” on PATH"):
        command()


def test_classes_and_source_are_those_of_the_last_compilation() -> None:
    """When this fails: sh emulator/plugin/trigger_stack/services/dynamodb_local/compile.sh."""
    recorded = (FOLDER / "LoopbackServer.sha256").read_text().split("\n")
    names = ["LoopbackServer.java", *(path.name for path in CLASSES)]

    assert recorded == [
        *(f"{hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()}  {name}" for name in names),
        "",
    ]


@pytest.mark.skipif(
    shutil.which("javac") is None or not Path(".build/dynamodb-local/DynamoDBLocal.jar").exists(),
    reason="compiles with javac against DynamoDB Local",
)
def test_the_classes_are_what_the_source_compiles_to(tmp_path: Path) -> None:
    for name in ("LoopbackServer.java", "compile.sh"):
        shutil.copy(FOLDER / name, tmp_path)
    subprocess.run(
        ["sh", str(tmp_path / "compile.sh"), ".build/dynamodb-local"],
        check=True,
        capture_output=True,
        timeout=120,
    )

    compiled = {path.name: path.read_bytes() for path in tmp_path.glob("*.class")}
    assert compiled == {path.name: path.read_bytes() for path in CLASSES}


@pytest.mark.parametrize("path", CLASSES, ids=lambda path: path.stem)
def test_the_classes_run_on_the_oldest_java(path: Path) -> None:
    magic, _, major = struct.unpack(">IHH", path.read_bytes()[:8])

    assert magic == 0xCAFEBABE
    assert major - 44 == module.MINIMUM_JAVA


@pytest.mark.skipif(
    shutil.which("strace") is None or not Path(".build/dynamodb-local/DynamoDBLocal.jar").exists(),
    reason="watches DynamoDB Local with strace",
)
def test_a_write_waits_for_no_disk(tmp_path: Path) -> None:
    """Each of SQLite's commits would wait three times, which was most of a write."""
    port, calls, tables = free_port(), tmp_path / "calls", tmp_path / "tables"
    tables.mkdir()
    watch = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-y"]
    java = subprocess.Popen(
        [*watch, "-o", str(calls), *module.command_line(port, str(tables), "128m")],
        stdin=subprocess.PIPE,
        cwd=tables,
    )
    client = _client("dynamodb", port)

    def answers() -> bool:
        with contextlib.suppress(BotoCoreError):
            return bool(client.list_tables())
        return False

    try:
        eventually(answers)
        client.create_table(
            TableName="brands",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        before = calls.read_text()
        client.put_item(TableName="brands", Item={"id": {"S": "1"}})
    finally:
        assert java.stdin is not None
        java.stdin.close()
        java.wait(30)

    assert calls.read_text()[len(before) :].count(".db") == 0
    assert list(tables.glob("*.db")), "the table is in a file"


@pytest.mark.skipif(
    shutil.which("java") is None or not Path(".build/dynamodb-local/DynamoDBLocal.jar").exists(),
    reason="runs DynamoDB Local",
)
def test_what_was_accepted_outlives_a_kill(tmp_path: Path) -> None:
    """Writes and their records of the stream: they are in a log that is read at the next start."""
    port = free_port()
    client = _client("dynamodb", port)
    streams = _client("dynamodbstreams", port)

    with _running(port, tmp_path, client):
        stream = client.create_table(
            TableName="brands",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        )["TableDescription"]["LatestStreamArn"]
        for number in range(30):
            client.put_item(TableName="brands", Item={"id": {"S": str(number)}})
    assert list(tmp_path.glob("*.db-wal")), "it was not closed in order"

    with _running(port, tmp_path, client):
        assert client.scan(TableName="brands", Select="COUNT")["Count"] == 30
        shard = streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"][0]
        iterator = streams.get_shard_iterator(
            StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = streams.get_records(ShardIterator=iterator)["Records"]
        assert [one["dynamodb"]["Keys"]["id"]["S"] for one in records] == [
            str(number) for number in range(30)
        ]


def _client(service: Any, port: int) -> Any:
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )


@contextlib.contextmanager
def _running(port: int, tables: Path, client: Any) -> Iterator[None]:
    """DynamoDB Local, killed at the end."""

    def answers() -> bool:
        with contextlib.suppress(BotoCoreError):
            return bool(client.list_tables())
        return False

    command = module.command_line(port, str(tables), "128m")
    java = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=tables)
    try:
        assert eventually(answers)
        yield
    finally:
        java.kill()
        java.wait(30)


def test_localstack_still_downloads_what_it_starts() -> None:
    """When this fails, LocalStack can start a jar that is there: see what the patch still adds."""
    own = DynamodbServer._create_shell_command
    assert own is not BundledDynamodbServer._create_shell_command
    source = inspect.getsource(own) + inspect.getsource(DynamodbServer.do_start_thread)

    assert "javaagent" in source
    assert "installer.install()" in source
