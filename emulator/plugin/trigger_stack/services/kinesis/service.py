"""The operations of the Kinesis Data Streams API (Kinesis API reference, "Actions").

The limits of a shard's throughput are not enforced.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator as Iterate
from typing import Any

from trigger_stack.services.errors import ServiceError
from trigger_stack.services.kinesis.iterators import Iterator
from trigger_stack.services.kinesis.streams import (
    HASH_KEYS,
    ON_DEMAND_SHARDS,
    Record,
    Shard,
    Stream,
)
from trigger_stack.services.operations import Caller, Request, operation

MAX_RECORD_BYTES = 1024 * 1024
MAX_REQUEST_BYTES = 10 * 1024 * 1024
_MAX_RECORDS = 10_000
_MAX_PUT_RECORDS = 500
_MAX_KEY = 256
_MAX_REPLY_BYTES = 10 * 1024 * 1024
_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
_SUBSCRIPTION_S = 300
_EVENT_EACH_S = 5


class Kinesis:
    """The streams of all accounts and regions.

    Args:
        written: Called with the ARN of a stream after records were put to it, or its shards have
            changed.
    """

    def __init__(self, written: Callable[[str], None] = lambda arn: None) -> None:
        self._streams: dict[str, Stream] = {}
        self._lock = threading.Lock()
        self._written = written

    # -- streams ------------------------------------------------------------------------------

    @operation("CreateStream")
    def create_stream(self, caller: Caller, request: Request) -> None:
        """Make a stream; it is active at once."""
        name = request["StreamName"]
        if not _NAME.fullmatch(name):
            raise _validation(
                f"Value '{name}' at 'streamName' failed to satisfy constraint: Member must satisfy"
                " regular expression pattern: [a-zA-Z0-9_.-]+"
            )
        mode = (request.get("StreamModeDetails") or {}).get("StreamMode", "PROVISIONED")
        on_demand = mode == "ON_DEMAND"
        if not on_demand and request.get("ShardCount") is None:
            raise _validation("ShardCount must not be null when the stream mode is PROVISIONED")
        count = ON_DEMAND_SHARDS if on_demand else request["ShardCount"]
        if count < 1:
            raise _validation(
                f"Value '{count}' at 'shardCount' failed to satisfy constraint: Member must have"
                " value greater than or equal to 1"
            )
        arn = _arn(caller, name)
        with self._lock:
            if arn in self._streams:
                raise ServiceError(
                    "ResourceInUseException",
                    f"Stream {name} under account {caller.account_id} already exists.",
                )
            stream = Stream(name, arn, count, on_demand=on_demand)
            stream.tags.update(request.get("Tags") or {})
            self._streams[arn] = stream

    @operation("DeleteStream")
    def delete_stream(self, caller: Caller, request: Request) -> None:
        """Delete a stream with its records, and with its consumers when that is asked for."""
        stream = self.stream(caller, request)
        if stream.consumers and not request.get("EnforceConsumerDeletion"):
            raise ServiceError(
                "ResourceInUseException",
                f"Stream {stream.name} under account {caller.account_id} has registered consumers.",
            )
        with self._lock:
            self._streams.pop(stream.arn, None)
        stream.deleted = True
        stream.wake()
        self._written(stream.arn)

    @operation("DescribeStream")
    def describe_stream(self, caller: Caller, request: Request) -> dict[str, Any]:
        """A stream with its shards, a page of them."""
        stream = self.stream(caller, request)
        shards, more = _page(
            list(stream.shards.values()),
            request.get("ExclusiveStartShardId"),
            request.get("Limit") or 100,
        )
        return {
            "StreamDescription": {
                **_description(stream),
                "Shards": [_shard(shard) for shard in shards],
                "HasMoreShards": more,
            }
        }

    @operation("DescribeStreamSummary")
    def describe_stream_summary(self, caller: Caller, request: Request) -> dict[str, Any]:
        """A stream without its shards."""
        stream = self.stream(caller, request)
        return {
            "StreamDescriptionSummary": {
                **_description(stream),
                "OpenShardCount": len(stream.open_shards),
                "ConsumerCount": len(stream.consumers),
                "MaxRecordSizeInKiB": MAX_RECORD_BYTES // 1024,
            }
        }

    @operation("DescribeLimits")
    def describe_limits(self, caller: Caller, request: Request) -> dict[str, Any]:
        """AWS's default quotas; they are not enforced."""
        mine = self._of(caller)
        return {
            "ShardLimit": 500,
            "OpenShardCount": sum(len(one.open_shards) for one in mine if not one.on_demand),
            "OnDemandStreamCount": sum(one.on_demand for one in mine),
            "OnDemandStreamCountLimit": 50,
        }

    @operation("ListStreams")
    def list_streams(self, caller: Caller, request: Request) -> dict[str, Any]:
        """The streams of an account and region by their names, a page of them."""
        start = request.get("ExclusiveStartStreamName") or request.get("NextToken") or ""
        limit = request.get("Limit") or 100
        found = sorted(self._of(caller), key=lambda one: one.name)
        found = [one for one in found if one.name > start]
        page, more = found[:limit], len(found) > limit
        return {
            "StreamNames": [one.name for one in page],
            "HasMoreStreams": more,
            "StreamSummaries": [
                {
                    "StreamName": one.name,
                    "StreamARN": one.arn,
                    "StreamStatus": "ACTIVE",
                    "StreamModeDetails": _mode(one),
                    "StreamCreationTimestamp": one.created,
                }
                for one in page
            ],
            **({"NextToken": page[-1].name} if more else {}),
        }

    @operation("UpdateStreamMode")
    def update_stream_mode(self, caller: Caller, request: Request) -> None:
        """Change between on-demand and provisioned; the shards stay."""
        stream = self.stream(caller, request)
        stream.on_demand = request["StreamModeDetails"]["StreamMode"] == "ON_DEMAND"

    @operation("IncreaseStreamRetentionPeriod")
    def increase_retention(self, caller: Caller, request: Request) -> None:
        """Keep records longer."""
        stream, hours = self.stream(caller, request), request["RetentionPeriodHours"]
        if hours < stream.retention_hours or hours > 8760:
            raise _invalid(
                f"Requested retention period ({hours} hours) for stream {stream.name} can not be"
                f" shorter than existing retention period ({stream.retention_hours} hours) or"
                " longer than 8760 hours."
            )
        stream.retention_hours = hours

    @operation("DecreaseStreamRetentionPeriod")
    def decrease_retention(self, caller: Caller, request: Request) -> None:
        """Keep records for a shorter time."""
        stream, hours = self.stream(caller, request), request["RetentionPeriodHours"]
        if hours > stream.retention_hours or hours < 24:
            raise _invalid(
                f"Requested retention period ({hours} hours) for stream {stream.name} can not be"
                f" longer than existing retention period ({stream.retention_hours} hours) or"
                " shorter than 24 hours."
            )
        stream.retention_hours = hours

    @operation("StartStreamEncryption")
    def start_encryption(self, caller: Caller, request: Request) -> None:
        """Remember the key; records lie in memory as they are."""
        self.stream(caller, request).key_id = request["KeyId"]

    @operation("StopStreamEncryption")
    def stop_encryption(self, caller: Caller, request: Request) -> None:
        """Forget the key."""
        self.stream(caller, request).key_id = None

    @operation("EnableEnhancedMonitoring")
    def enable_monitoring(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Add shard-level metrics to the description; there are no such metrics."""
        return self._monitor(caller, request, lambda now, given: now | given)

    @operation("DisableEnhancedMonitoring")
    def disable_monitoring(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Take shard-level metrics off the description."""
        return self._monitor(caller, request, lambda now, given: now - given)

    def _monitor(
        self, caller: Caller, request: Request, change: Callable[[set[str], set[str]], set[str]]
    ) -> dict[str, Any]:
        stream = self.stream(caller, request)
        before = sorted(stream.metrics)
        stream.metrics = change(stream.metrics, set(request["ShardLevelMetrics"]))
        return {
            "StreamName": stream.name,
            "StreamARN": stream.arn,
            "CurrentShardLevelMetrics": before,
            "DesiredShardLevelMetrics": sorted(stream.metrics),
        }

    # -- tags ---------------------------------------------------------------------------------

    @operation("AddTagsToStream")
    def add_tags(self, caller: Caller, request: Request) -> None:
        """Tag a stream."""
        self.stream(caller, request).tags.update(request["Tags"])

    @operation("RemoveTagsFromStream")
    def remove_tags(self, caller: Caller, request: Request) -> None:
        """Remove tags of a stream."""
        for key in request["TagKeys"]:
            self.stream(caller, request).tags.pop(key, None)

    @operation("ListTagsForStream")
    def list_tags(self, caller: Caller, request: Request) -> dict[str, Any]:
        """The tags of a stream, a page of them."""
        start, limit = request.get("ExclusiveStartTagKey") or "", request.get("Limit") or 50
        tags = sorted(self.stream(caller, request).tags.items())
        found = [{"Key": key, "Value": value} for key, value in tags if key > start]
        return {"Tags": found[:limit], "HasMoreTags": len(found) > limit}

    @operation("TagResource")
    def tag_resource(self, caller: Caller, request: Request) -> None:
        """Tag a stream by its ARN."""
        self._by_arn(request["ResourceARN"]).tags.update(request["Tags"])

    @operation("UntagResource")
    def untag_resource(self, caller: Caller, request: Request) -> None:
        """Remove tags of a stream by its ARN."""
        for key in request["TagKeys"]:
            self._by_arn(request["ResourceARN"]).tags.pop(key, None)

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, caller: Caller, request: Request) -> dict[str, Any]:
        """The tags of a stream by its ARN."""
        tags = self._by_arn(request["ResourceARN"]).tags
        return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}

    # -- shards -------------------------------------------------------------------------------

    @operation("ListShards")
    def list_shards(self, caller: Caller, request: Request) -> dict[str, Any]:
        """The shards of a stream, a page of them."""
        start, limit = request.get("ExclusiveStartShardId"), request.get("MaxResults") or 1000
        if token := request.get("NextToken"):
            if request.get("StreamName") or request.get("StreamARN"):
                raise _invalid("NextToken and StreamName cannot be provided together.")
            arn, _, start = token.rpartition("|")
            stream = self._by_arn(arn)
        else:
            stream = self.stream(caller, request)
        shards = list(stream.shards.values())
        wanted = (request.get("ShardFilter") or {}).get("Type")
        if wanted in ("AT_LATEST",):
            shards = [shard for shard in shards if shard.is_open]
        if wanted == "AFTER_SHARD_ID":
            start = request["ShardFilter"]["ShardId"]
        page, more = _page(shards, start, limit)
        return {
            "Shards": [_shard(shard) for shard in page],
            **({"NextToken": f"{stream.arn}|{page[-1].id}"} if more else {}),
        }

    @operation("SplitShard")
    def split_shard(self, caller: Caller, request: Request) -> None:
        """Make two shards of one."""
        stream = self.stream(caller, request)
        shard = self._open_shard(stream, request["ShardToSplit"])
        at = _number(request["NewStartingHashKey"], "NewStartingHashKey")
        if not shard.first_hash_key < at <= shard.last_hash_key:
            raise _invalid(
                f"NewStartingHashKey {at} used in SplitShard() on shard {shard.id} in stream"
                f" {stream.name} under account {caller.account_id} is not both greater than one"
                f" plus the shard's StartingHashKey {shard.first_hash_key} and less than the"
                f" shard's EndingHashKey {shard.last_hash_key}."
            )
        stream.split(shard, at)
        self._written(stream.arn)

    @operation("MergeShards")
    def merge_shards(self, caller: Caller, request: Request) -> None:
        """Make one shard of two neighbours."""
        stream = self.stream(caller, request)
        first = self._open_shard(stream, request["ShardToMerge"])
        second = self._open_shard(stream, request["AdjacentShardToMerge"])
        low, high = sorted((first, second), key=lambda shard: shard.first_hash_key)
        if low.last_hash_key + 1 != high.first_hash_key:
            raise _invalid(
                f"Shards {first.id} and {second.id} in stream {stream.name} under account"
                f" {caller.account_id} are not an adjacent pair of shards eligible for merging."
            )
        stream.merge(first, second)
        self._written(stream.arn)

    @operation("UpdateShardCount")
    def update_shard_count(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Split or merge shards until there are so many."""
        stream, target = self.stream(caller, request), request["TargetShardCount"]
        current = len(stream.open_shards)
        if stream.on_demand:
            raise _validation(
                f"Request is invalid. Stream {stream.name} under account {caller.account_id} is in"
                " On-Demand mode."
            )
        if not (current + 1) // 2 <= target <= 2 * current:
            bound = "more than double" if target > current else "less than half of"
            raise _invalid(
                f"UpdateShardCount cannot scale to {bound} your current open shard count."
                if target <= current
                else f"UpdateShardCount cannot scale up over {bound} your current open shard count."
            )
        stream.reshard(target)
        self._written(stream.arn)
        return {
            "StreamName": stream.name,
            "StreamARN": stream.arn,
            "CurrentShardCount": current,
            "TargetShardCount": target,
        }

    # -- records ------------------------------------------------------------------------------

    @operation("PutRecord")
    def put_record(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Put one record."""
        stream = self.stream(caller, request)
        explicit = _check_record(request)
        shard, record = stream.put(request["Data"], request["PartitionKey"], explicit)
        self._written(stream.arn)
        return {
            "ShardId": shard.id,
            "SequenceNumber": record.sequence_number,
            "EncryptionType": _encryption(stream),
        }

    @operation("PutRecords")
    def put_records(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Put records, up to 500."""
        stream, entries = self.stream(caller, request), request["Records"]
        if not 1 <= len(entries) <= _MAX_PUT_RECORDS:
            raise _validation(
                f"Value at 'records' failed to satisfy constraint: Member must have length less"
                f" than or equal to {_MAX_PUT_RECORDS}"
            )
        explicit = [_check_record(entry) for entry in entries]
        if sum(map(_size, entries)) > MAX_REQUEST_BYTES:
            raise _invalid("Records size exceeds 10 MB limit")
        results = []
        for entry, key in zip(entries, explicit, strict=True):
            shard, record = stream.put(entry["Data"], entry["PartitionKey"], key)
            results.append({"ShardId": shard.id, "SequenceNumber": record.sequence_number})
        self._written(stream.arn)
        return {
            "FailedRecordCount": 0,
            "Records": results,
            "EncryptionType": _encryption(stream),
        }

    @operation("GetShardIterator")
    def get_shard_iterator(self, caller: Caller, request: Request) -> dict[str, Any]:
        """A token for a position in a shard."""
        stream = self.stream(caller, request)
        shard = self._shard(stream, request["ShardId"])
        kind = request["ShardIteratorType"]
        after = _position(shard, kind, request.get("StartingSequenceNumber"), request)
        return {"ShardIterator": _token(stream, shard, after)}

    @operation("GetRecords")
    def get_records(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Records from a position on, and a token for the next ones."""
        at = Iterator.from_token(request["ShardIterator"])
        stream = self._by_arn(at.stream)
        if stream.created != at.created:
            raise _not_found(stream.name, caller.account_id)
        limit = request.get("Limit") or _MAX_RECORDS
        if not 1 <= limit <= _MAX_RECORDS:
            raise _validation(
                f"Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value"
                f" less than or equal to {_MAX_RECORDS}"
            )
        shard = self._shard(stream, at.shard)
        records, behind = stream.read(shard, at.after, limit)
        records = _fitting(records)
        after = records[-1].sequence_number if records else at.after
        answer: dict[str, Any] = {
            "Records": [_record(stream, record) for record in records],
            "MillisBehindLatest": int(behind * 1000),
        }
        if stream.has_more(shard, after):
            answer["NextShardIterator"] = _token(stream, shard, after)
        else:
            answer["ChildShards"] = _children(stream, shard)
        return answer

    # -- consumers ----------------------------------------------------------------------------

    @operation("RegisterStreamConsumer")
    def register_consumer(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Register a consumer with enhanced fan-out."""
        stream, name = self._by_arn(request["StreamARN"]), request["ConsumerName"]
        if name in stream.consumers:
            raise ServiceError(
                "ResourceInUseException",
                f"Consumer {name} under stream {stream.name} already exists.",
            )
        stream.consumers[name] = time.time()
        return {"Consumer": _consumer(stream, name)}

    @operation("DeregisterStreamConsumer")
    def deregister_consumer(self, caller: Caller, request: Request) -> None:
        """Remove a consumer."""
        stream, name = self._find_consumer(request)
        del stream.consumers[name]

    @operation("DescribeStreamConsumer")
    def describe_consumer(self, caller: Caller, request: Request) -> dict[str, Any]:
        """A consumer."""
        stream, name = self._find_consumer(request)
        return {"ConsumerDescription": {**_consumer(stream, name), "StreamARN": stream.arn}}

    @operation("ListStreamConsumers")
    def list_consumers(self, caller: Caller, request: Request) -> dict[str, Any]:
        """The consumers of a stream, a page of them."""
        stream = self._by_arn(request["StreamARN"])
        start, limit = request.get("NextToken") or "", request.get("MaxResults") or 100
        names = [name for name in sorted(stream.consumers) if name > start]
        page, more = names[:limit], len(names) > limit
        return {
            "Consumers": [_consumer(stream, name) for name in page],
            **({"NextToken": page[-1]} if more else {}),
        }

    @operation("SubscribeToShard")
    def subscribe_to_shard(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Records of a shard as they come, for five minutes."""
        stream, _ = self._find_consumer(request)
        shard = self._shard(stream, request["ShardId"])
        start = request["StartingPosition"]
        after = _position(shard, start["Type"], start.get("SequenceNumber"), start)
        return {"EventStream": _subscription(stream, shard, after)}

    # -- finding ------------------------------------------------------------------------------

    def stream(self, caller: Caller, request: Request) -> Stream:
        """The stream that a request names, by name or ARN, which may be one of its consumers'.

        Raises:
            ServiceError: It names none, or there is none.
        """
        if arn := request.get("StreamARN"):
            if "/consumer/" in arn:
                return self._find_consumer({"ConsumerARN": arn})[0]
            return self._by_arn(arn)
        name = request.get("StreamName")
        if not name:
            raise _invalid("Either StreamName or StreamARN must be provided.")
        return self._by_arn(_arn(caller, name))

    def _by_arn(self, arn: str) -> Stream:
        with self._lock:
            stream = self._streams.get(arn.partition("/consumer/")[0])
        if stream is None:
            parts = arn.split(":")
            account = parts[4] if len(parts) > 4 else ""
            raise _not_found(arn.rpartition("stream/")[2], account)
        return stream

    def _of(self, caller: Caller) -> list[Stream]:
        prefix = _arn(caller, "")
        with self._lock:
            return [one for arn, one in self._streams.items() if arn.startswith(prefix)]

    def _shard(self, stream: Stream, shard_id: str) -> Shard:
        shard = stream.shards.get(shard_id)
        if shard is None:
            account = stream.arn.split(":")[4]
            raise ServiceError(
                "ResourceNotFoundException",
                f"Could not find shard {shard_id} in stream {stream.name} under account {account}.",
            )
        return shard

    def _open_shard(self, stream: Stream, shard_id: str) -> Shard:
        shard = self._shard(stream, shard_id)
        if not shard.is_open:
            account = stream.arn.split(":")[4]
            raise _invalid(
                f"Shard {shard_id} in stream {stream.name} under account {account} has already"
                " been merged or split, and thus is not eligible for merging or splitting."
            )
        return shard

    def _find_consumer(self, request: Request) -> tuple[Stream, str]:
        if arn := request.get("ConsumerARN"):
            stream = self._by_arn(arn)
            name = arn.partition("/consumer/")[2].partition(":")[0]
        else:
            stream, name = self._by_arn(request["StreamARN"]), request["ConsumerName"]
        # One that is registered again under the same name is another.
        known = name in stream.consumers
        if not known or (arn and _consumer(stream, name)["ConsumerARN"] != arn):
            raise ServiceError(
                "ResourceNotFoundException",
                f"Consumer {name}, stream {stream.name}: not found.",
            )
        return stream, name


def _arn(caller: Caller, name: str) -> str:
    return f"arn:aws:kinesis:{caller.region}:{caller.account_id}:stream/{name}"


def _validation(message: str) -> ServiceError:
    return ServiceError("ValidationException", f"1 validation error detected: {message}")


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidArgumentException", message)


def _not_found(name: str, account: str) -> ServiceError:
    return ServiceError(
        "ResourceNotFoundException", f"Stream {name} under account {account} not found."
    )


def _number(text: str, name: str) -> int:
    if not text.isdecimal() or int(text) >= HASH_KEYS:
        raise _invalid(f"Invalid {name}. {name} must be in the range: [0, 2^128 - 1].")
    return int(text)


def _size(entry: dict[str, Any]) -> int:
    return len(entry["Data"]) + len(entry["PartitionKey"].encode())


def _check_record(entry: dict[str, Any]) -> int | None:
    """Check a record to be put; its explicit hash key, if it has one."""
    if not 1 <= len(entry["PartitionKey"]) <= _MAX_KEY:
        raise _validation(
            "Value at 'partitionKey' failed to satisfy constraint: Member must have length less"
            f" than or equal to {_MAX_KEY}"
        )
    if _size(entry) > MAX_RECORD_BYTES:
        raise _validation(
            "Value at 'data' failed to satisfy constraint: Member must have length less than or"
            f" equal to {MAX_RECORD_BYTES}"
        )
    explicit = entry.get("ExplicitHashKey")
    return None if explicit is None else _number(explicit, "ExplicitHashKey")


def _fitting(records: list[Record]) -> list[Record]:
    """The first records that fit into one answer; one at least."""
    size = 0
    for index, record in enumerate(records):
        size += len(record.data)
        if size > _MAX_REPLY_BYTES and index:
            return records[:index]
    return records


def _position(shard: Shard, kind: str, number: str | None, request: dict[str, Any]) -> str:
    """The sequence number after which a reader begins."""
    if kind == "TRIM_HORIZON":
        return ""
    if kind == "LATEST":
        return shard.latest()
    if kind == "AT_TIMESTAMP":
        if request.get("Timestamp") is None:
            raise _invalid(
                "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP."
            )
        return shard.before_time(_seconds(request["Timestamp"]))
    if not number or not number.isdecimal():
        raise _invalid(
            f"Must specify startingSequenceNumber parameter for iterator of type {kind}."
        )
    if kind == "AFTER_SEQUENCE_NUMBER":
        return number
    return str(int(number) - 1).zfill(len(number))


def _seconds(timestamp: Any) -> float:
    return float(timestamp.timestamp() if hasattr(timestamp, "timestamp") else timestamp)


def _token(stream: Stream, shard: Shard, after: str) -> str:
    return Iterator(stream.arn, stream.created, shard.id, after, time.time()).token()


def _page(shards: list[Shard], start: str | None, limit: int) -> tuple[list[Shard], bool]:
    found = [shard for shard in shards if start is None or shard.id > start]
    return found[:limit], len(found) > limit


def _mode(stream: Stream) -> dict[str, str]:
    return {"StreamMode": "ON_DEMAND" if stream.on_demand else "PROVISIONED"}


def _encryption(stream: Stream) -> str:
    return "KMS" if stream.key_id else "NONE"


def _description(stream: Stream) -> dict[str, Any]:
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": _mode(stream),
        "RetentionPeriodHours": stream.retention_hours,
        "StreamCreationTimestamp": stream.created,
        "EnhancedMonitoring": [{"ShardLevelMetrics": sorted(stream.metrics)}],
        "EncryptionType": _encryption(stream),
        **({"KeyId": stream.key_id} if stream.key_id else {}),
    }


def _shard(shard: Shard) -> dict[str, Any]:
    numbers = {"StartingSequenceNumber": shard.starting_sequence_number}
    if shard.ending_sequence_number is not None:
        numbers["EndingSequenceNumber"] = shard.ending_sequence_number
    names = ("ParentShardId", "AdjacentParentShardId")
    return {
        "ShardId": shard.id,
        "HashKeyRange": _hash_keys(shard),
        "SequenceNumberRange": numbers,
        **dict(zip(names, shard.parents, strict=False)),
    }


def _hash_keys(shard: Shard) -> dict[str, str]:
    return {
        "StartingHashKey": str(shard.first_hash_key),
        "EndingHashKey": str(shard.last_hash_key),
    }


def _children(stream: Stream, parent: Shard) -> list[dict[str, Any]]:
    return [
        {"ShardId": one.id, "ParentShards": list(one.parents), "HashKeyRange": _hash_keys(one)}
        for one in stream.shards.values()
        if parent.id in one.parents
    ]


def _record(stream: Stream, record: Record) -> dict[str, Any]:
    return {
        "SequenceNumber": record.sequence_number,
        "ApproximateArrivalTimestamp": round(record.arrived, 3),
        "Data": record.data,
        "PartitionKey": record.partition_key,
        "EncryptionType": _encryption(stream),
    }


def _consumer(stream: Stream, name: str) -> dict[str, Any]:
    created = stream.consumers[name]
    return {
        "ConsumerName": name,
        "ConsumerARN": f"{stream.arn}/consumer/{name}:{int(created)}",
        "ConsumerStatus": "ACTIVE",
        "ConsumerCreationTimestamp": created,
    }


def _subscription(stream: Stream, shard: Shard, after: str) -> Iterate[dict[str, Any]]:
    """Events with records as they come, and an empty one every five seconds."""
    ends = time.monotonic() + _SUBSCRIPTION_S
    while time.monotonic() < ends and not stream.deleted:
        position = after
        stream.wait(
            lambda at=position: stream.deleted or not shard.is_open or bool(shard.after(at, 1)),  # type: ignore[misc]  # bound at once
            _EVENT_EACH_S,
        )
        records, behind = stream.read(shard, after, _MAX_RECORDS)
        after = records[-1].sequence_number if records else after
        ended = not stream.has_more(shard, after)
        event: dict[str, Any] = {
            "Records": [_record(stream, record) for record in records],
            "ContinuationSequenceNumber": after or shard.starting_sequence_number,
            "MillisBehindLatest": int(behind * 1000),
        }
        if ended:
            event["ChildShards"] = _children(stream, shard)
        yield {"SubscribeToShardEvent": event}
        if ended:
            return
