"""``bootstrap package-aws``: what ``osls deploy`` would upload, made without an AWS account.

Packaging asks AWS one question, when there is a layer: whether the stack exists. A server in this
process says that it does not, so that nothing leaves this machine.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from bootstrap import project
from bootstrap.commands.load import load_template
from bootstrap.console import out
from bootstrap.errors import DeployError, WrongUseError

OSLS = Path(".build/osls/node_modules/.bin/osls")
_FOLDER = Path(".build/aws")
_NO_STACK = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>"
    b"<Message>Stack does not exist</Message></Error></ErrorResponse>"
)


def run(file: Path, stage: str) -> None:
    """Package a definition for AWS, and say where the parts are.

    Args:
        stage: the stage to package for; nothing: the definition's own.

    Raises:
        WrongUseError: osls is not installed.
        DefinitionError: the definition has errors.
        DeployError: osls failed; what it said has been printed.
    """
    template = load_template(file, stage or None)  # its errors are clearer than osls's
    if not OSLS.is_file():
        raise WrongUseError("osls is missing. Run: make package-aws, which installs it.")
    target = (_FOLDER / f"{template.service}-{template.stage}").absolute()
    options = ["--stage", template.stage, "--package", str(target)]
    if file.name != "serverless.yml":
        options += ["--config", file.name]
    with _account_without_stacks() as address:
        done = subprocess.run(
            [str(OSLS.absolute()), "package", *options],
            cwd=file.parent,
            env=_environment(file, template.stage, address),
            check=False,
        )
    if done.returncode:
        raise DeployError(f"osls ended with {done.returncode} (see above).")
    out.print(f"packaged {template.service} for the stage {template.stage}: {target}", markup=False)
    for part in sorted(target.iterdir()):
        if part.is_file():
            out.print(f"  {part.name}  {part.stat().st_size:,} bytes", markup=False)
    where = "" if project.is_own(file) else f"cd {file.parent} && "
    out.print(
        f"On AWS: {where}osls deploy --stage {template.stage}   (docs/aws.md says what differs)",
        markup=False,
    )


def _environment(file: Path, stage: str, address: str) -> dict[str, str]:
    """Nothing of the machine's AWS set-up, and no way to a real endpoint."""
    given = project.environment(file, stage)
    return {
        **{name: value for name, value in given.items() if not name.startswith("AWS_")},
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "SLS_TELEMETRY_DISABLED": "1",
        "SLS_NOTIFICATIONS_MODE": "off",
    }


class _NoStack(BaseHTTPRequestHandler):
    """CloudFormation of an account without stacks."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(400)
        self.send_header("Content-Length", str(len(_NO_STACK)))
        self.end_headers()
        self.wfile.write(_NO_STACK)

    def log_message(self, *arguments: object) -> None:
        """Nothing: osls says what it did."""


@contextmanager
def _account_without_stacks() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _NoStack)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
