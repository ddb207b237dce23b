"""CloudWatch Logs as AWS fills them: complete, in order, in both formats."""

from __future__ import annotations

import json
import re

from tests.engine.lambda_stack import Stack
from tests.support.waiting import eventually


def test_start_output_end_report_in_order(stack: Stack) -> None:
    name = stack.create(
        """
        import logging, sys
        logging.getLogger().setLevel("INFO")
        print("at init")
        def handler(event, context):
            print("out 1")
            print("err 2", file=sys.stderr)
            logging.info("three\\nlines\\nlong")
            print("out 4")
        """,
        MemorySize=256,
    )

    reply = stack.invoke(name)
    messages = stack.messages(name, until="REPORT")

    request = reply.request_id
    init = messages.pop(0)
    assert init.startswith("INIT_START Runtime Version: python:3.")
    assert "\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:" in init
    assert messages[0] == "at init\n"
    assert messages[1] == f"START RequestId: {request} Version: $LATEST\n"
    assert messages[2:4] == ["out 1\n", "err 2\n"]
    assert messages[4].startswith("[INFO]\t")
    assert messages[4].endswith(f"\t{request}\tthree\nlines\nlong\n"), "one message, one event"
    assert messages[5:7] == ["out 4\n", f"END RequestId: {request}\n"]
    assert re.fullmatch(
        rf"REPORT RequestId: {request}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 256 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t\n",
        messages[7],
    )
    assert len(messages) == 8
    assert reply.tail == "".join(messages[1:])


def test_only_a_cold_start_has_an_init_duration(stack: Stack) -> None:
    name = stack.create("def handler(event, context): pass")

    assert "Init Duration" in stack.invoke(name).tail
    assert "Init Duration" not in stack.invoke(name).tail


def test_stream_name(stack: Stack) -> None:
    name = stack.create("def handler(event, context): return context.log_stream_name")

    stream = stack.invoke(name).value

    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
    stack.messages(name, until="REPORT")
    found = stack.client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{name}")
    assert [entry["logStreamName"] for entry in found["logStreams"]] == [stream]


def test_ten_megabytes_arrive_complete_and_in_order(stack: Stack) -> None:
    name = stack.create(
        """
        def handler(event, context):
            for number in range(event):
                print(number, "x" * 1000)
        """,
        Timeout=60,
    )
    count = 10_000

    assert stack.invoke(name, count).error is None

    messages = stack.messages(name, until="REPORT")
    numbers = [int(text.split()[0]) for text in messages if text[0].isdigit()]
    assert numbers == list(range(count))


def test_a_long_line_is_split_and_nothing_of_it_lost(stack: Stack) -> None:
    name = stack.create("def handler(event, context): print('é' * event)")
    length = 1_200_000

    stack.invoke(name, length)

    messages = stack.messages(name, until="REPORT")
    parts = [text for text in messages if text.startswith("é")]
    assert len(parts) > 1
    assert "".join(parts) == "é" * length + "\n"
    assert all(len(part.encode()) <= 1024 * 1024 for part in parts)


def test_last_words_before_a_crash(stack: Stack) -> None:
    name = stack.create(
        """
        import os
        def handler(event, context):
            for number in range(1000): print("word", number)
            os.write(1, b"no newline at the end")
            os.kill(os.getpid(), 9)
        """
    )

    stack.invoke(name)

    messages = stack.messages(name, until="Runtime.ExitError")
    assert [text for text in messages if text.startswith("word")] == [
        f"word {number}\n" for number in range(1000)
    ]
    assert "no newline at the end" in messages


def test_output_between_invokes_is_kept(stack: Stack) -> None:
    name = stack.create(
        """
        import threading
        def handler(event, context):
            threading.Timer(0.2, lambda: print("from a thread", flush=True)).start()
        """
    )

    stack.invoke(name)

    stack.messages(name, until="from a thread")


def test_invalid_utf8_is_no_reason_to_lose_a_line(stack: Stack) -> None:
    name = stack.create("import os\ndef handler(e, c): os.write(1, b'a\\xff\\xa5\\x5a\\x00b\\n')")

    assert stack.invoke(name).error is None
    assert any(text.startswith("a\ufffd") for text in stack.messages(name, until="REPORT"))


def test_json_format(stack: Stack) -> None:
    name = stack.create(
        """
        import logging
        def handler(event, context):
            logging.warning("careful")
            raise KeyError("x")
        """,
        LoggingConfig={
            "LogFormat": "JSON",
            "ApplicationLogLevel": "INFO",
            "SystemLogLevel": "INFO",
        },
    )

    reply = stack.invoke(name)

    messages = [json.loads(text) for text in stack.messages(name, until="platform.report")]
    init, start, warning, error, report = messages
    assert init["type"] == "platform.initStart"
    assert init["record"]["runtimeVersion"].startswith("python:3.")
    assert start["type"] == "platform.start"
    assert start["record"] == {"requestId": reply.request_id, "version": "$LATEST"}
    assert (warning["level"], warning["message"]) == ("WARNING", "careful")
    assert warning["requestId"] == reply.request_id
    assert error["errorType"] == "KeyError"
    assert report["record"]["metrics"]["memorySizeMB"] == 128


def test_a_log_group_of_its_own(stack: Stack) -> None:
    name = stack.create(
        "def handler(event, context): return context.log_group_name",
        LoggingConfig={"LogFormat": "Text", "LogGroup": "/mine/brand"},
    )

    assert stack.invoke(name).value == "/mine/brand"

    def stored() -> bool:
        logs = stack.client("logs")
        assert logs.describe_log_groups(logGroupNamePrefix="/mine/brand")["logGroups"]
        events = logs.filter_log_events(logGroupName="/mine/brand")["events"]
        assert any("REPORT" in event["message"] for event in events), events
        return True

    eventually(stored)


def test_a_failed_init_is_in_the_log(stack: Stack) -> None:
    name = stack.create("print('importing')\nimport nothing_of_that_name")

    stack.invoke(name)

    messages = stack.messages(name, until="REPORT RequestId")
    assert "importing\n" in messages
    assert any("Runtime.ImportModuleError" in text for text in messages)
    assert any(text.startswith("INIT_REPORT") and "Phase: init" in text for text in messages)


def test_logs_of_concurrent_invokes_are_complete(stack: Stack) -> None:
    name = stack.create("def handler(event, context):\n    for n in range(50): print(event, n)")

    stack.invoke_many(name, list(range(20)))

    messages = stack.messages(name, until="REPORT", count=20)
    lines = [tuple(map(int, text.split())) for text in messages if text[0].isdigit()]
    assert sorted(lines) == [(event, n) for event in range(20) for n in range(50)]
    for event in range(20):
        assert [n for number, n in lines if number == event] == list(range(50))
