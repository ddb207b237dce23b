"""Lambda functions that the tests put behind HTTP APIs."""

import base64
import itertools
import json
import time


def echo(event, context):
    """The event as the reply's body."""
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json", "x-request-id": context.aws_request_id},
        "body": json.dumps(event),
    }


def inferred(event, context):
    """No ``statusCode``: the API makes it a 200 with JSON."""
    return {"message": "hello", "path": event["rawPath"]}


def full(event, context):
    """Every part of a format 2.0 reply."""
    return {
        "statusCode": 418,
        "headers": {
            "content-type": "image/png",
            "x-teapot": "short and stout",
            "access-control-allow-origin": "https://function.example",
        },
        "cookies": ["a=1; HttpOnly", "b=2"],
        "body": base64.b64encode(b"\x89PNG\x00\xff").decode(),
        "isBase64Encoded": True,
    }


def full_v1(event, context):
    """Every part of a format 1.0 reply."""
    return {
        "statusCode": 200,
        "headers": {"x-one": "1"},
        "multiValueHeaders": {"set-cookie": ["a=1", "b=2"]},
        "body": json.dumps(event),
    }


def raising(event, context):
    """A bug whose text must not reach the client."""
    raise RuntimeError("the secret of the function")


def malformed(event, context):
    """A reply API Gateway does not understand."""
    return {"statusCode": "the secret of the function", "body": "x"}


def large(event, context):
    """A reply of as many bytes as the query says."""
    return {"statusCode": 200, "body": "x" * int(event["queryStringParameters"]["size"])}


def slow(event, context):
    """Longer than the time-out of the test's integration."""
    time.sleep(5)
    return {"statusCode": 200, "body": "late"}


_asked = itertools.count(1)


def authorize(event, context):
    """A simple authorizer: ``yes…`` may, ``broken`` is no answer; counts how often it is asked."""
    who = (event["identitySource"] or [""])[0]
    if who == "broken":
        return "broken"
    return {
        "isAuthorized": who.startswith("yes"),
        "context": {
            "who": who,
            "asked": next(_asked),
            "arn": event["routeArn"],
            "type": event["type"],
        },
    }


def authorize_by_policy(event, context):
    """An authorizer that returns a policy: for the path that the header names."""
    api = event["methodArn"].split("/")[0]
    return {
        "principalId": "user",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow",
                    "Resource": f"{api}/*/GET/{event['headers']['x-may']}",
                }
            ],
        },
        "context": {"number": 1},
    }
