"""Says which event came."""

import json


def handler(event, context):
    print("GOT", json.dumps(event))
    return {"statusCode": 200, "body": "hello from osls"}
