"""The SMTP port, and clients that do not behave."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from trigger_stack.delivery.mail import smtp as smtp_port
from trigger_stack.delivery.mail.delivery import RefusedError
from trigger_stack.delivery.mail.message import Envelope
from trigger_stack.services.ses.certificate import tls_context

TO = "in@shop.example"


class Inbox:
    """Keeps what it takes."""

    def __init__(self) -> None:
        self.mails: list[tuple[Envelope, bytes]] = []
        self.error: Exception | None = None

    def check_recipient(self, recipient: str, *, tls: bool) -> None:
        if recipient.endswith("@nowhere.example"):
            raise RefusedError("550 5.1.1 Requested action not taken: mailbox unavailable")

    def take(self, envelope: Envelope, raw: bytes) -> str:
        if self.error:
            raise self.error
        self.mails.append((envelope, raw))
        return f"id-{len(self.mails)}"


@pytest.fixture(scope="module")
def encryption() -> ssl.SSLContext:
    return tls_context("inbound-smtp.us-east-1.amazonaws.com")


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def port(inbox: Inbox, encryption: ssl.SSLContext) -> Iterator[int]:
    """The port of a server in a thread of its own."""
    loop = asyncio.new_event_loop()
    raised: list[object] = []
    loop.set_exception_handler(lambda _, context: raised.append(context))
    server = loop.run_until_complete(
        smtp_port.listen(inbox, "127.0.0.1", 0, "us-east-1", encryption)
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield server.sockets[0].getsockname()[1]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    assert not raised, raised


@pytest.fixture
def client(port: int) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as one:
        one.ehlo("client.example")
        yield one


class Raw:
    """A client that sends whatever it likes."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("rb")

    def line(self) -> bytes:
        return self.file.readline()

    def say(self, *commands: bytes) -> bytes:
        """Send commands; the last answer."""
        for command in commands:
            self.socket.sendall(command + b"\r\n")
            answer = self.line()
            while answer[3:4] == b"-":
                answer = self.line()
        return answer

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@pytest.fixture
def raw(port: int) -> Iterator[Raw]:
    one = Raw(port)
    assert one.line().startswith(b"220 inbound-smtp.us-east-1.amazonaws.com ")
    yield one
    one.close()


def test_a_mail_is_taken_and_its_id_is_the_answer(client: smtplib.SMTP, inbox: Inbox) -> None:
    assert client.mail("ann@client.example")[0] == 250
    assert client.rcpt(TO)[0] == 250
    assert client.rcpt("x@nowhere.example") == (
        550,
        b"5.1.1 Requested action not taken: mailbox unavailable",
    )
    assert client.data(b"Subject: x\r\n\r\n.dot\r\nh\xe4\r\n") == (250, b"OK id-1")

    ((envelope, raw_mail),) = inbox.mails
    assert envelope == Envelope("ann@client.example", (TO,), "127.0.0.1", "client.example", False)
    assert raw_mail == b"Subject: x\r\n\r\n.dot\r\nh\xe4\r\n"


def test_a_bounce_has_no_sender(client: smtplib.SMTP, inbox: Inbox) -> None:
    client.mail("")
    client.rcpt(TO)
    client.data(b"x")

    assert inbox.mails[0][0].source == ""


def test_the_connection_can_be_encrypted(client: smtplib.SMTP, inbox: Inbox) -> None:
    client.starttls()
    client.ehlo("client.example")
    client.mail("ann@client.example")
    client.rcpt(TO)

    assert client.data(b"x")[0] == 250
    assert inbox.mails[0][0].tls


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (RefusedError("550 5.1.1 gone"), (550, b"5.1.1 gone")),
        (
            OSError("secret"),
            (451, b"4.3.0 The mail was not accepted, try again later"),
        ),
    ],
)
def test_a_mail_that_is_not_written_down_is_not_accepted(
    client: smtplib.SMTP, inbox: Inbox, error: Exception, answer: tuple[int, bytes]
) -> None:
    inbox.error = error
    client.mail("ann@client.example")
    client.rcpt(TO)

    assert client.data(b"x") == answer
    inbox.error = None
    client.mail("ann@client.example")
    client.rcpt(TO)
    assert client.data(b"x")[0] == 250


def test_a_mail_has_a_hundred_recipients_at_most(client: smtplib.SMTP, inbox: Inbox) -> None:
    client.mail("ann@client.example")
    answers = [client.rcpt(f"in+{n}@shop.example")[0] for n in range(10_000)]

    assert answers.count(250) == 100
    assert set(answers[100:]) == {452}
    assert client.data(b"x")[0] == 250
    assert len(inbox.mails[0][0].recipients) == 100


def test_a_recipient_counts_once(client: smtplib.SMTP, inbox: Inbox) -> None:
    client.mail("ann@client.example")
    for _ in range(3):
        client.rcpt(TO)
    client.data(b"x")

    assert inbox.mails[0][0].recipients == (TO,)


def test_too_large_a_mail_is_refused(
    client: smtplib.SMTP, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.esmtp_features["size"] == str(40 * 1024 * 1024)
    assert client.mail("ann@client.example", [f"SIZE={41 * 1024 * 1024}"])[0] == 552
    client.mail("ann@client.example")
    client.rcpt(TO)
    line = b"x" * 76 + b"\r\n"

    assert client.data(line * (41 * 1024 * 1024 // len(line)))[0] == 552
    assert inbox.mails == []
    assert client.noop()[0] == 250


@pytest.mark.parametrize(
    ("command", "codes"),
    [
        (b"", {b"500"}),
        (b"\xff\xfe\x00", {b"500"}),
        (b"RCPT TO:<\xc3\xa4@shop.example>", {b"500"}),
        (b"MAIL FROM:<" + b"a" * 5000 + b"@b.example>", {b"500"}),
        (b"X" * 200_000, {b"500"}),
        (b"DATA", {b"503"}),
        (b"RCPT TO:<in@shop.example>", {b"503"}),
        (b"MAIL FROM:<@@@>", {b"553", b"501"}),
        (b"AUTH PLAIN AGEAYg==", {b"538", b"500", b"535", b"502"}),
        (b"VRFY x", {b"502", b"252"}),
        (b"NONSENSE", {b"500"}),
    ],
    ids=[f"case-{number}" for number in range(11)],
)
def test_whatever_a_client_says_it_gets_an_answer(
    raw: Raw, command: bytes, codes: set[bytes]
) -> None:
    raw.say(b"EHLO client.example")

    assert raw.say(command)[:3] in codes
    assert raw.say(b"NOOP").startswith(b"250")


@pytest.mark.parametrize(
    "recipient",
    [b"no-domain", b"a b@shop.example", b"a@b@shop.example", b"@", b"a@shop.example\x00"],
)
def test_a_recipient_that_is_no_address_is_refused(raw: Raw, recipient: bytes) -> None:
    raw.say(b"EHLO client.example", b"MAIL FROM:<a@client.example>")

    assert raw.say(b"RCPT TO:<%s>" % recipient)[:1] == b"5"


def test_a_name_of_a_client_that_is_none_cannot_make_headers(raw: Raw, inbox: Inbox) -> None:
    raw.say(b"EHLO a b (c) \tX: y", b"MAIL FROM:<a@client.example>", b"RCPT TO:<in@shop.example>")
    assert raw.say(b"DATA").startswith(b"354")
    assert raw.say(b"x\r\n.").startswith(b"250")

    helo = inbox.mails[0][0].helo
    assert helo.isprintable()
    assert " " not in helo
    assert "(" not in helo


def test_a_client_that_never_ends_a_line_is_cut_off(
    raw: Raw, monkeypatch: pytest.MonkeyPatch, inbox: Inbox
) -> None:
    monkeypatch.setattr(smtp_port, "MAX_MAIL_BYTES", 100_000)
    raw.say(b"EHLO client.example", b"MAIL FROM:<a@client.example>", b"RCPT TO:<in@shop.example>")
    raw.say(b"DATA")

    with pytest.raises(ConnectionError):
        for _ in range(10_000):
            raw.socket.sendall(b"x" * 10_000)
    assert inbox.mails == []


@pytest.mark.parametrize("cut", [1, 3, 500])
def test_a_web_page_cannot_send_a_mail(port: int, inbox: Inbox, cut: int) -> None:
    """A browser sends a form to any port, with a body that the page chose."""
    commands = (
        b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<in@shop.example>\r\nDATA\r\nx\r\n.\r\n"
    )
    head = b"POST / HTTP/1.1\r\nHost: localhost:2525\r\nContent-Length: %d\r\n\r\n" % len(commands)
    one = Raw(port)
    one.line()
    one.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(ConnectionError):
        one.socket.sendall(head[:cut])
        threading.Event().wait(0.05)
        one.socket.sendall(head[cut:] + commands)
    with contextlib.suppress(ConnectionError):
        assert one.line() == b"554 5.5.0 This port speaks SMTP\r\n"
        assert one.line() == b""
    one.close()
    assert inbox.mails == []


def test_a_bare_line_feed_ends_no_mail(raw: Raw, inbox: Inbox) -> None:
    """Two servers must not read one stream as different mails (SMTP smuggling)."""
    raw.say(b"EHLO client.example", b"MAIL FROM:<a@client.example>", b"RCPT TO:<in@shop.example>")
    raw.say(b"DATA")
    smuggled = b"one\n.\nMAIL FROM:<b@client.example>\nRCPT TO:<in@shop.example>\nDATA\ntwo"

    assert raw.say(smuggled + b"\r\n.").startswith(b"250")

    ((envelope, content),) = inbox.mails
    assert envelope.source == "a@client.example"
    assert content == smuggled + b"\r\n"


def test_a_line_that_is_too_long_is_refused_and_the_next_mail_is_taken(
    raw: Raw, inbox: Inbox
) -> None:
    begin = (b"MAIL FROM:<a@client.example>", b"RCPT TO:<in@shop.example>", b"DATA")
    raw.say(b"EHLO client.example", *begin)
    assert raw.say(b"Subject: " + b"x" * 100_000 + b"\r\n.").startswith(b"500")

    raw.say(*begin)
    assert raw.say(b"x\r\n.").startswith(b"250")
    assert len(inbox.mails) == 1


def test_a_client_that_goes_away_leaves_nothing(port: int, inbox: Inbox) -> None:
    for ending in (
        b"EHLO x",
        b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<in@shop.example>\r\n",
    ):
        one = Raw(port)
        one.line()
        one.socket.sendall(ending)
        one.close()
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as other:
        assert other.noop()[0] == 250
    assert inbox.mails == []


def test_one_connection_too_many_is_told_so(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_port, "_MOST_CONNECTIONS", 2)
    many = [Raw(port) for _ in range(3)]
    try:
        assert [one.line()[:3] for one in many[:2]] == [b"220", b"220"]
        assert many[2].line() == b"421 4.3.2 Too many connections, try again later\r\n"
        assert many[2].line() == b""
    finally:
        for one in many:
            one.close()


def test_a_slow_client_is_cut_off(port: int, monkeypatch: pytest.MonkeyPatch, inbox: Inbox) -> None:
    monkeypatch.setattr(smtp_port, "_LONGEST_CONNECTION_S", 0.5)
    slow = Raw(port)
    slow.line()
    with pytest.raises((ConnectionError, BrokenPipeError)):
        while True:  # a byte now and then: never idle
            slow.socket.sendall(b"E")
            threading.Event().wait(0.05)
    slow.close()
