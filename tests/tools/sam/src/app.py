"""Says which event came, and what its layer says."""

import json

import shared


def handler(event, context):
    print("GOT", json.dumps(event))
    return event if "triggerSource" in event else {"statusCode": 200, "body": shared.GREETING}
