"""The API of Kinesis Data Streams through boto3."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack
from tests.support.waiting import eventually


@pytest.fixture
def kinesis(stack: Stack) -> Any:
    return stack.client("kinesis")


@pytest.fixture
def stream(kinesis: Any) -> Iterator[str]:
    name = f"s-{secrets.token_hex(6)}"
    kinesis.create_stream(StreamName=name, ShardCount=2)
    yield name
    kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def read(kinesis: Any, stream: str, shard: str, kind: str, **more: Any) -> list[bytes]:
    iterator = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=shard, ShardIteratorType=kind, **more
    )["ShardIterator"]
    return [one["Data"] for one in kinesis.get_records(ShardIterator=iterator)["Records"]]


def test_a_stream_is_described(kinesis: Any, stream: str) -> None:
    found = kinesis.describe_stream(StreamName=stream)["StreamDescription"]

    assert found["StreamStatus"] == "ACTIVE"
    assert found["StreamARN"] == f"arn:aws:kinesis:us-east-1:000000000000:stream/{stream}"
    assert [shard["ShardId"] for shard in found["Shards"]] == [
        "shardId-000000000000",
        "shardId-000000000001",
    ]
    first, second = (shard["HashKeyRange"] for shard in found["Shards"])
    assert (first["StartingHashKey"], second["EndingHashKey"]) == ("0", str(2**128 - 1))
    assert int(first["EndingHashKey"]) + 1 == int(second["StartingHashKey"])
    summary = kinesis.describe_stream_summary(StreamARN=found["StreamARN"])
    assert summary["StreamDescriptionSummary"]["OpenShardCount"] == 2
    assert stream in kinesis.list_streams(Limit=1000)["StreamNames"]


def test_a_key_decides_on_the_shard_and_numbers_grow(kinesis: Any, stream: str) -> None:
    puts = [
        kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey=f"key {number}")
        for number in range(50)
    ]

    assert {put["ShardId"] for put in puts} == {"shardId-000000000000", "shardId-000000000001"}
    numbers = [put["SequenceNumber"] for put in puts]
    assert numbers == sorted(numbers)
    assert {len(number) for number in numbers} == {56}
    again = kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="key 0")
    assert again["ShardId"] == puts[0]["ShardId"]
    explicit = kinesis.put_record(
        StreamName=stream, Data=b"x", PartitionKey="key 0", ExplicitHashKey=str(2**128 - 1)
    )
    assert explicit["ShardId"] == "shardId-000000000001"


def test_each_kind_of_iterator(kinesis: Any, stream: str) -> None:
    def put(data: bytes) -> dict[str, Any]:
        return dict(
            kinesis.put_record(StreamName=stream, Data=data, PartitionKey="k", ExplicitHashKey="0")
        )

    shard = put(b"1")["ShardId"]
    moment = int(time.time()) + 1  # boto3 sends whole seconds
    eventually(lambda: time.time() > moment)
    number = put(b"2")["SequenceNumber"]
    latest = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=shard, ShardIteratorType="LATEST"
    )["ShardIterator"]
    put(b"3")

    assert read(kinesis, stream, shard, "TRIM_HORIZON") == [b"1", b"2", b"3"]
    assert read(kinesis, stream, shard, "AT_TIMESTAMP", Timestamp=moment) == [b"2", b"3"]
    at = {"StartingSequenceNumber": number}
    assert read(kinesis, stream, shard, "AT_SEQUENCE_NUMBER", **at) == [b"2", b"3"]
    assert read(kinesis, stream, shard, "AFTER_SEQUENCE_NUMBER", **at) == [b"3"]
    answer = kinesis.get_records(ShardIterator=latest)
    assert [one["Data"] for one in answer["Records"]] == [b"3"]
    put(b"4")
    following = kinesis.get_records(ShardIterator=answer["NextShardIterator"])["Records"]
    assert [one["Data"] for one in following] == [b"4"]


def test_a_shard_that_was_split_ends_and_has_children(kinesis: Any, stream: str) -> None:
    shard = "shardId-000000000000"
    kinesis.put_record(StreamName=stream, Data=b"1", PartitionKey="k", ExplicitHashKey="0")

    kinesis.split_shard(StreamName=stream, ShardToSplit=shard, NewStartingHashKey=str(2**126))
    kinesis.put_record(StreamName=stream, Data=b"2", PartitionKey="k", ExplicitHashKey="0")

    iterator = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    answer = kinesis.get_records(ShardIterator=iterator)
    assert [one["Data"] for one in answer["Records"]] == [b"1"]
    assert "NextShardIterator" not in answer
    children = [one["ShardId"] for one in answer["ChildShards"]]
    assert children == ["shardId-000000000002", "shardId-000000000003"]
    assert read(kinesis, stream, children[0], "TRIM_HORIZON") == [b"2"]
    split = {"StreamName": stream, "ShardToSplit": shard, "NewStartingHashKey": "7"}
    assert refused(kinesis.split_shard, **split) == "InvalidArgumentException"
    kinesis.merge_shards(
        StreamName=stream, ShardToMerge=children[0], AdjacentShardToMerge=children[1]
    )
    merged = kinesis.list_shards(StreamName=stream)["Shards"][-1]
    assert [merged["ParentShardId"], merged["AdjacentParentShardId"]] == children


@pytest.mark.parametrize("target", [1, 3, 4])
def test_the_number_of_shards_changes(kinesis: Any, stream: str, target: int) -> None:
    answer = kinesis.update_shard_count(
        StreamName=stream, TargetShardCount=target, ScalingType="UNIFORM_SCALING"
    )

    assert (answer["CurrentShardCount"], answer["TargetShardCount"]) == (2, target)
    shards = kinesis.list_shards(StreamName=stream)["Shards"]
    shards = [one for one in shards if "EndingSequenceNumber" not in one["SequenceNumberRange"]]
    ranges = sorted(
        (int(one["HashKeyRange"]["StartingHashKey"]), int(one["HashKeyRange"]["EndingHashKey"]))
        for one in shards
    )
    assert len(ranges) == target
    assert ranges[0][0] == 0
    assert ranges[-1][1] == 2**128 - 1
    assert all(end + 1 == start for (_, end), (start, _) in itertools.pairwise(ranges))


def test_consumers_get_records_as_they_come(kinesis: Any, stream: str) -> None:
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    consumer = kinesis.register_stream_consumer(StreamARN=arn["StreamARN"], ConsumerName="c")
    assert kinesis.list_stream_consumers(StreamARN=arn["StreamARN"])["Consumers"] == [
        consumer["Consumer"]
    ]
    events = kinesis.subscribe_to_shard(
        ConsumerARN=consumer["Consumer"]["ConsumerARN"],
        ShardId="shardId-000000000000",
        StartingPosition={"Type": "TRIM_HORIZON"},
    )["EventStream"]
    kinesis.put_record(StreamName=stream, Data=b"1", PartitionKey="k", ExplicitHashKey="0")

    seen = []
    for event in events:
        seen += [one["Data"] for one in event["SubscribeToShardEvent"]["Records"]]
        if seen:
            break
    events.close()

    assert seen == [b"1"]
    assert refused(kinesis.delete_stream, StreamName=stream) == "ResourceInUseException"
    kinesis.deregister_stream_consumer(StreamARN=arn["StreamARN"], ConsumerName="c")
    assert kinesis.list_stream_consumers(StreamARN=arn["StreamARN"])["Consumers"] == []


def test_what_is_wrong_is_refused(kinesis: Any, stream: str) -> None:
    shard = {"StreamName": stream, "ShardId": "shardId-000000000000"}
    put = {"StreamName": stream, "Data": b"x", "PartitionKey": "k"}

    assert refused(kinesis.create_stream, StreamName=stream, ShardCount=1) == (
        "ResourceInUseException"
    )
    assert refused(kinesis.create_stream, StreamName="a b", ShardCount=1) == "ValidationException"
    assert refused(kinesis.describe_stream, StreamName="none") == "ResourceNotFoundException"
    assert refused(kinesis.get_records, ShardIterator="none") == "InvalidArgumentException"
    assert refused(kinesis.put_record, **put | {"ExplicitHashKey": str(2**128)}) == (
        "InvalidArgumentException"
    )
    assert refused(kinesis.put_record, **put | {"Data": b"x" * (1024 * 1024)}) == (
        "ValidationException"
    )
    assert refused(
        kinesis.get_shard_iterator, **shard | {"ShardId": "shardId-9"}, ShardIteratorType="LATEST"
    ) == ("ResourceNotFoundException")
    assert refused(
        kinesis.update_shard_count,
        StreamName=stream,
        TargetShardCount=9,
        ScalingType="UNIFORM_SCALING",
    ) == ("InvalidArgumentException")


def test_tags_retention_and_encryption(kinesis: Any, stream: str) -> None:
    kinesis.add_tags_to_stream(StreamName=stream, Tags={"a": "1", "b": "2"})
    kinesis.remove_tags_from_stream(StreamName=stream, TagKeys=["a"])
    kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=48)
    kinesis.start_stream_encryption(
        StreamName=stream, EncryptionType="KMS", KeyId="alias/aws/kinesis"
    )

    assert kinesis.list_tags_for_stream(StreamName=stream)["Tags"] == [{"Key": "b", "Value": "2"}]
    summary = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    assert summary["RetentionPeriodHours"] == 48
    assert (summary["EncryptionType"], summary["KeyId"]) == ("KMS", "alias/aws/kinesis")
    assert refused(
        kinesis.increase_stream_retention_period, StreamName=stream, RetentionPeriodHours=24
    ) == ("InvalidArgumentException")
