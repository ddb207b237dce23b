"""The SMTP port that SES receives mails on (RFC 5321, with STARTTLS of RFC 3207).

A ``250`` is only sent once the mail is written down. AWS topic: Amazon SES Developer Guide, "Email
receiving concepts": a mail has 40 MB at most.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from dataclasses import dataclass
from typing import Any, Protocol

from aiosmtpd.smtp import SMTP

from trigger_stack.delivery.mail.delivery import RefusedError
from trigger_stack.delivery.mail.message import Envelope

LOG = logging.getLogger(__name__)

#: Bytes of a mail with its headers.
MAX_MAIL_BYTES = 40 * 1024 * 1024
#: Recipients of one mail: what RFC 5321 asks of every server.
MAX_RECIPIENTS = 100
_MOST_CONNECTIONS = 32
#: Bytes that all connections together may have sent of mails that are not at their end.
_MOST_BYTES = 5 * MAX_MAIL_BYTES
_IDLE_S = 300.0
#: A connection that sends a byte now and then is not idle.
_LONGEST_CONNECTION_S = 900.0
#: What a web page can have a browser send to any port begins so.
_HTTP = re.compile(rb"(CONNECT|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT|TRACE) ")
_LONGEST_METHOD = len(b"CONNECT ")
#: aiosmtpd logs every command and each refused connection.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)


class Inbox(Protocol):
    """Takes mails."""

    def check_recipient(self, recipient: str, *, tls: bool) -> None:
        """Raise :class:`RefusedError` for an address that no mail is taken for."""
        ...

    def take(self, envelope: Envelope, raw: bytes) -> str:
        """Write a mail down; its id. Raises :class:`RefusedError`, or what went wrong."""
        ...


@dataclass
class _Load:
    """What all connections have together."""

    connections: int = 0
    waiting_bytes: int = 0


class Connection(SMTP):
    """A connection, with limits on what it and all of them together may hold."""

    def __init__(self, handler: Handler, load: _Load, **settings: Any) -> None:
        super().__init__(handler, **settings)
        self._load = load
        self._bytes = 0
        self._first = b""
        self._open: asyncio.BaseTransport | None = None
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or go on encrypted; one connection too many is told so and closed."""
        if self._open is None:
            self._open = transport
            self._load.connections += 1
            self._end = self.loop.call_later(_LONGEST_CONNECTION_S, transport.abort)  # type: ignore[attr-defined]  # a transport of TCP
        super().connection_made(transport)
        if self._load.connections > _MOST_CONNECTIONS:
            self._close("421 4.3.2 Too many connections, try again later")

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        if self._open is not None:
            self._open = None
            self._load.connections -= 1
            self.mail_ended()
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Take bytes, within the limits."""
        self._bytes += len(data)
        self._load.waiting_bytes += len(data)
        if len(self._first) < _LONGEST_METHOD:
            self._first += data[:_LONGEST_METHOD]
            if _HTTP.match(self._first):
                self._close("554 5.5.0 This port speaks SMTP")
                return
        if self._bytes > 2 * MAX_MAIL_BYTES:
            self._close("552 5.3.4 Message size exceeds fixed limit")
        elif self._load.waiting_bytes > _MOST_BYTES:
            self._close("452 4.3.1 Insufficient system storage, try again later")
        else:
            super().data_received(data)

    def mail_ended(self) -> None:
        """What was received until now is no longer held."""
        self._load.waiting_bytes -= self._bytes
        self._bytes = 0

    def _close(self, reply: str) -> None:
        transport: Any = self.transport
        if transport is not None and not transport.is_closing():
            transport.write(f"{reply}\r\n".encode())
            transport.close()


class Handler:
    """What happens to a mail; aiosmtpd calls it."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def handle_MAIL(  # noqa: N802  aiosmtpd's name
        self,
        server: Connection,
        session: Any,
        envelope: Any,
        address: str,
        options: list[str],
    ) -> str:
        """A mail begins."""
        server.mail_ended()
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self,
        server: Connection,
        session: Any,
        envelope: Any,
        address: str,
        options: list[str],
    ) -> str:
        """A recipient: refused when no rule is for it."""
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        if not re.fullmatch(r"[^@\s<>]{1,64}@[A-Za-z0-9.-]{1,255}", address):
            return "553 5.1.3 Malformed address"
        try:
            await asyncio.to_thread(
                self._inbox.check_recipient, address, tls=session.ssl is not None
            )
        except RefusedError as error:
            return error.reply
        if address not in envelope.rcpt_tos:
            envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802  aiosmtpd's name
        self, server: Connection, session: Any, envelope: Any
    ) -> str:
        """The whole mail."""
        given = Envelope(
            "" if envelope.mail_from == "<>" else envelope.mail_from,
            tuple(envelope.rcpt_tos),
            str(session.peer[0]) if session.peer else "",
            _plain(session.host_name),
            session.ssl is not None,
        )
        try:
            identity = await asyncio.to_thread(self._inbox.take, given, envelope.content)
        except RefusedError as error:
            return error.reply
        except Exception as error:  # nobody has the mail: its sender keeps it
            LOG.error("a mail from %s was not accepted: %s", given.source or "<>", error)  # noqa: TRY400  a line to act on
            return "451 4.3.0 The mail was not accepted, try again later"
        finally:
            server.mail_ended()
        return f"250 OK {identity}"

    async def handle_exception(self, error: Exception) -> str:
        """Whatever a client sent: no traceback, and an answer that senders know."""
        LOG.warning("SMTP: %s: %s", type(error).__name__, error)
        return "451 4.3.0 Requested action aborted: local error in processing"


def _plain(name: str | None) -> str:
    """A name that a client gave itself, as a header may have it."""
    return re.sub(r"[^A-Za-z0-9.:\[\]_-]", "?", name or "unknown")[:255]


async def listen(
    inbox: Inbox, host: str, port: int, region: str, tls: ssl.SSLContext | None = None
) -> asyncio.Server:
    """Listen for mails.

    Args:
        inbox: Takes them.
        host: Address to bind.
        port: Port to bind; 0 chooses one.
        region: For the name that the server gives itself.
        tls: Makes ``STARTTLS`` possible.

    Raises:
        OSError: The port cannot be used.
    """
    loop, load = asyncio.get_running_loop(), _Load()
    handler = Handler(inbox)

    def connection() -> Connection:
        return Connection(
            handler,
            load,
            data_size_limit=MAX_MAIL_BYTES,
            hostname=f"inbound-smtp.{region}.amazonaws.com",
            ident="ESMTP",
            tls_context=tls,
            timeout=_IDLE_S,
            loop=loop,
        )

    return await loop.create_server(connection, host, port)
