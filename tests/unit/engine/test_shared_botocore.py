"""What is found out about botocore before the fork is right for every client that is made after."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
from botocore import hooks
names = hooks.EventAliaser._alias_event_name
accepts = hooks.accepts_kwargs
from trigger_stack_engine.environments.zygote.preload import preload
preload(["boto3", "botocore.session"], [])
assert hooks.accepts_kwargs is not accepts, "handlers are looked at anew"

class Alone(hooks.EventAliaser):
    def __init__(self):
        self._event_aliases, self._alias_name_cache = hooks.EVENT_ALIASES, {}

import botocore.session
usual = hooks.EventAliaser(hooks.HierarchicalEmitter())
assert len(usual._alias_name_cache) > 100, "nothing is known"
for name, known in list(usual._alias_name_cache.items()):
    assert names(Alone(), name) == known, name
own = hooks.EventAliaser(hooks.HierarchicalEmitter(), {"mine": "yours"})
assert own._alias_event_name("before.mine.x") == "before.yours.x"
assert usual._alias_event_name("before.mine.x") == "before.mine.x"

def with_more(a, **more): pass
def without(a): pass
class Handler:
    def with_more(self, **more): pass
    def without(self): pass
from botocore import handlers, signers
for one in (with_more, without, Handler().with_more, Handler().without,
            handlers.validate_bucket_name, signers.RequestSigner.handler):
    assert bool(hooks.accepts_kwargs(one)) == bool(accepts(one)), one

import boto3
keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
client = boto3.client("sqs", region_name="eu-west-1", **keys)
seen = []
def signs(operation_name, **more):
    seen.append(operation_name)
def sends(**more):
    seen.append("sent")
    return 1
client.meta.events.register("before-sign.sqs.SendMessage", signs)
client.meta.events.register("before-send.sqs", sends)
try:
    client.send_message(QueueUrl="http://localhost/q", MessageBody="x")
except AttributeError:  # the answer is none
    pass
assert seen == ["SendMessage", "sent"], seen
try:
    client.meta.events.register("before-send.sqs", without)
except ValueError:
    print("right")
"""


def test_names_of_events_and_handlers() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False
    )

    assert (done.returncode, done.stdout.strip()) == (0, "right"), done.stderr
