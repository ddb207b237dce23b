"""Files of API keys, as API Gateway reads them."""

from __future__ import annotations

import pytest
from localstack.aws.api.apigateway import BadRequestException

from trigger_stack.localstack.apigateway.keys import read_rows

KEY = "apikey1234abcdefghij0123456789"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (f"Key,name\n{KEY},First\n", [{"key": KEY, "name": "First"}]),
        (f"\ufeffNAME, KEY\r\n First , {KEY}\r\n\r\n", [{"name": "First", "key": KEY}]),
        (
            f'Enabled,Name,key,UsageplanIds\ntrue,First,{KEY},"c7y23b,glvrsr"\n',
            [{"enabled": "true", "name": "First", "key": KEY, "usageplanids": "c7y23b,glvrsr"}],
        ),
        (
            f"Enabled,Name,key,UsageplanIds\ntrue,First,{KEY},'c7y23b,glvrsr'\n",
            [{"enabled": "true", "name": "First", "key": KEY, "usageplanids": "c7y23b,glvrsr"}],
        ),
        (f"Name,Key,Enabled\nFirst,{KEY}\n", [{"name": "First", "key": KEY, "enabled": ""}]),
        ("Name,Key\n", []),
    ],
)
def test_keys_of_a_file(text: str, rows: list[dict[str, str]]) -> None:
    assert list(read_rows(text)) == rows


@pytest.mark.parametrize("text", ["", "zz", "Name,Value\na,b\n"])
def test_a_file_without_its_columns_is_refused(text: str) -> None:
    with pytest.raises(BadRequestException):
        list(read_rows(text))
