"""Amazon Cognito: user pools, their clients, groups and users."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bootstrap.definition import naming
from bootstrap.services import lambda_, shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ReplacementError,
    ResourceType,
    found,
    gone,
    outcome_of,
    subset,
)
from bootstrap.template import Physical

_GONE = "ResourceNotFoundException"
_NO_USER = "UserNotFoundException"
_PRINCIPAL = "cognito-idp.amazonaws.com"
#: How the statements end that let an existing pool invoke a function.
_BY_EVENT = "ForExistingPool"
#: What ``UpdateUserPool`` takes. It puts what is not given back to a default.
_UPDATED = (
    *("AccountRecoverySetting", "AdminCreateUserConfig", "AutoVerifiedAttributes"),
    *("DeletionProtection", "DeviceConfiguration", "EmailConfiguration"),
    *("EmailVerificationMessage", "EmailVerificationSubject", "LambdaConfig"),
    *("MfaConfiguration", "Policies", "SmsAuthenticationMessage", "SmsConfiguration"),
    *("SmsVerificationMessage", "UserPoolTags", "UserPoolTier", "VerificationMessageTemplate"),
)
_FIXED = ("AliasAttributes", "UsernameAttributes", "UsernameConfiguration")


# -- pools ------------------------------------------------------------------------------------


def _pages(operation: Callable[..., Any], items: str, **arguments: Any) -> list[dict[str, Any]]:
    """All items of a listing, over all its pages."""
    result: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = operation(**arguments, MaxResults=60, **token)
        result += page[items]
        if not page.get("NextToken"):
            return result
        token = {"NextToken": page["NextToken"]}


def _find_pool(cognito: Any, name: str) -> dict[str, Any] | None:
    for pool in _pages(cognito.list_user_pools, "UserPools"):
        if pool["Name"] == name:
            described: dict[str, Any] = cognito.describe_user_pool(UserPoolId=pool["Id"])
            return dict(described["UserPool"])
    return None


def _pool(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    cognito = context.client("cognito-idp")
    wanted = dict(properties)
    name = wanted.pop("UserPoolName", None) or naming.generated(context.service, logical_id)
    existing = _find_pool(cognito, name)
    changed = False
    if existing is None:
        existing = dict(cognito.create_user_pool(PoolName=name, **wanted)["UserPool"])
        return Outcome.CREATED, _physical_pool(context, existing)
    for fixed in _FIXED:
        if fixed in wanted and wanted[fixed] != existing.get(fixed):
            raise ReplacementError(
                f"{fixed} of the pool {name} cannot be changed. Delete the pool first: awslocal"
                f" cognito-idp delete-user-pool --user-pool-id {existing['Id']}"
            )
    changed = _add_attributes(cognito, existing, wanted.pop("Schema", []))
    mutable = {key: value for key, value in wanted.items() if key in _UPDATED}
    mutable["LambdaConfig"] = _triggers(context, existing, wanted.get("LambdaConfig") or {})
    if not _same_settings(mutable, existing):
        cognito.update_user_pool(UserPoolId=existing["Id"], **{**_settings(existing), **mutable})
        changed = True
    return outcome_of(False, changed), _physical_pool(context, existing)


def _triggers(context: Context, pool: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    """The triggers that a pool is to have: the described, and those of ``existing`` events."""
    current: dict[str, Any] = pool.get("LambdaConfig") or {}
    others = {name: value for name, value in current.items() if name not in described}
    kept = {name: value for name, value in others.items() if _of_event(context, pool, value)}
    return {**kept, **described}


def _of_event(context: Context, pool: dict[str, Any], value: Any) -> bool:
    """Whether an ``existing`` event set a trigger: then the function has its permission."""
    arn = value.get("LambdaArn") if isinstance(value, dict) else value
    client = context.client("lambda")
    policy = found(lambda: client.get_policy(FunctionName=arn), _GONE)
    statements = json.loads(policy["Policy"])["Statement"] if policy else []
    return any(
        one["Sid"].endswith(_BY_EVENT) and pool["Arn"] in json.dumps(one.get("Condition"))
        for one in statements
    )


def _same_settings(wanted: Properties, existing: dict[str, Any]) -> bool:
    same_triggers = wanted["LambdaConfig"] == (existing.get("LambdaConfig") or {})
    return same_triggers and subset(wanted, existing)


def _settings(pool: dict[str, Any]) -> dict[str, Any]:
    """What a pool has now, as ``UpdateUserPool`` takes it."""
    kept = {name: pool[name] for name in _UPDATED if pool.get(name) not in (None, {}, [])}
    config = dict(kept.get("AdminCreateUserConfig") or {})
    config.pop("UnusedAccountValidityDays", None)  # an older name of what the policy has
    return {**kept, **({"AdminCreateUserConfig": config} if config else {})}


def _add_attributes(cognito: Any, pool: dict[str, Any], schema: list[dict[str, Any]]) -> bool:
    """Add the custom attributes that a pool lacks; nothing else of its schema can change."""
    known = {attribute["Name"]: attribute for attribute in pool.get("SchemaAttributes", [])}
    new = [
        attribute
        for attribute in schema
        if attribute["Name"] not in known and f"custom:{attribute['Name']}" not in known
    ]
    if new:
        cognito.add_custom_attributes(UserPoolId=pool["Id"], CustomAttributes=new)
    for attribute in schema:
        there = known.get(attribute["Name"]) or known.get(f"custom:{attribute['Name']}")
        if there and not subset({**attribute, "Name": there["Name"]}, there):
            raise ReplacementError(
                f"the attribute {attribute['Name']} of the pool {pool['Name']} cannot be changed"
            )
    return bool(new)


def _physical_pool(context: Context, pool: dict[str, Any]) -> Physical:
    provider = f"cognito-idp.{context.settings.region}.amazonaws.com/{pool['Id']}"
    return Physical(
        pool["Id"],
        {
            "Arn": pool["Arn"],
            "ProviderName": provider,
            "ProviderURL": f"https://{provider}",
            "UserPoolId": pool["Id"],
        },
    )


def _pool_exists(context: Context, key: Key) -> bool:
    cognito = context.client("cognito-idp")
    return found(lambda: cognito.describe_user_pool(UserPoolId=key["Ref"]), _GONE) is not None


def _remove_triggers(context: Context, key: Key) -> bool:
    """Take the triggers off a pool; the pool and its users stay."""
    cognito = context.client("cognito-idp")
    answer = found(lambda: cognito.describe_user_pool(UserPoolId=key["Ref"]), _GONE)
    if answer is None or not answer["UserPool"].get("LambdaConfig"):
        return False
    settings = {**_settings(answer["UserPool"]), "LambdaConfig": {}}
    cognito.update_user_pool(UserPoolId=key["Ref"], **settings)
    return True


# -- triggers of pools that are there already -----------------------------------------------------


def _existing(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    cognito = context.client("cognito-idp")
    name, function = properties["UserPoolName"], properties["FunctionName"]
    pool = _find_pool(cognito, name)
    if pool is None:
        raise RuntimeError(
            f"there is no user pool “{name}”; without existing: true it would be made"
        )
    arn = _function_arn(context, function)
    current = dict(pool.get("LambdaConfig") or {})
    config = {k: v for k, v in current.items() if not _calls(v, arn)}
    for one in properties["UserPoolConfigs"]:
        version = one.get("LambdaVersion")
        if version:
            config["PreTokenGenerationConfig"] = {"LambdaArn": arn, "LambdaVersion": version}
        else:
            config[one["Trigger"]] = arn
    changed = config != current
    if changed:
        settings = {**_settings(pool), "LambdaConfig": config}
        cognito.update_user_pool(UserPoolId=pool["Id"], **settings)
    allowed = _allow(context, function, pool["Arn"], f"{logical_id}{_BY_EVENT}")
    return outcome_of(False, changed, allowed), Physical(logical_id)


def _function_arn(context: Context, function: str) -> str:
    region, account = context.settings.region, context.account
    return f"arn:aws:lambda:{region}:{account}:function:{function}"


def _calls(value: Any, arn: str) -> bool:
    return bool(value == arn or (isinstance(value, dict) and value.get("LambdaArn") == arn))


def _allow(context: Context, function: str, pool_arn: str, statement: str) -> bool:
    """Let the pool invoke the function; whether that changed anything."""
    properties = {
        "FunctionName": function,
        "Action": "lambda:InvokeFunction",
        "Principal": _PRINCIPAL,
        "SourceArn": pool_arn,
    }
    permission = lambda_.RESOURCE_TYPES["AWS::Lambda::Permission"]
    outcome, _ = permission.ensure(context, statement, properties)
    return outcome is not Outcome.UNCHANGED


def _existing_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    names = ("UserPoolName", "FunctionName")
    return [{**{name: properties[name] for name in names}, "Id": logical_id}]


def _remove_existing(context: Context, key: Key) -> bool:
    cognito, function = context.client("cognito-idp"), key["FunctionName"]
    allowed = gone(
        lambda: context.client("lambda").remove_permission(
            FunctionName=function, StatementId=lambda_.statement_id(f"{key['Id']}{_BY_EVENT}")
        ),
        _GONE,
    )
    pool = _find_pool(cognito, key["UserPoolName"])
    current = dict((pool or {}).get("LambdaConfig") or {})
    arn = _function_arn(context, function)
    config = {k: v for k, v in current.items() if not _calls(v, arn)}
    if pool is None or config == current:
        return allowed
    settings = {**_settings(pool), "LambdaConfig": config}
    cognito.update_user_pool(UserPoolId=pool["Id"], **settings)
    return True


# -- clients, groups and users --------------------------------------------------------------------


def _client(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    cognito, pool = context.client("cognito-idp"), properties["UserPoolId"]
    name = properties.get("ClientName") or naming.generated(context.service, logical_id)
    wanted = {**properties, "ClientName": name}
    known = next(
        (
            one
            for one in _pages(cognito.list_user_pool_clients, "UserPoolClients", UserPoolId=pool)
            if one["ClientName"] == name
        ),
        None,
    )
    if known is None:
        client = cognito.create_user_pool_client(**wanted)["UserPoolClient"]
        return Outcome.CREATED, _physical_client(client)
    client = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=known["ClientId"])[
        "UserPoolClient"
    ]
    secret = wanted.pop("GenerateSecret", False)
    if bool(secret) != ("ClientSecret" in client):
        raise ReplacementError(f"GenerateSecret of the client {name} cannot be changed")
    same = subset(wanted, client)
    if not same:
        cognito.update_user_pool_client(ClientId=client["ClientId"], **wanted)
    return outcome_of(False, not same), _physical_client(client)


def _physical_client(client: dict[str, Any]) -> Physical:
    secret = {"ClientSecret": client["ClientSecret"]} if "ClientSecret" in client else {}
    attributes = {"ClientId": client["ClientId"], "Name": client["ClientName"], **secret}
    return Physical(client["ClientId"], attributes)


def _in_pool(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"UserPoolId": properties["UserPoolId"], "Ref": physical.ref}]


def _client_exists(context: Context, key: Key) -> bool:
    cognito = context.client("cognito-idp")
    return (
        found(
            lambda: cognito.describe_user_pool_client(
                UserPoolId=key["UserPoolId"], ClientId=key["Ref"]
            ),
            _GONE,
        )
        is not None
    )


def _group(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    cognito = context.client("cognito-idp")
    name = properties.get("GroupName") or naming.generated(context.service, logical_id)
    wanted = {**properties, "GroupName": name}
    key = {"UserPoolId": properties["UserPoolId"], "GroupName": name}
    existing = found(lambda: cognito.get_group(**key), _GONE)
    if existing is None:
        cognito.create_group(**wanted)
        return Outcome.CREATED, Physical(name)
    same = subset(wanted, existing["Group"])
    if not same:
        cognito.update_group(**wanted)
    return outcome_of(False, not same), Physical(name)


def _group_exists(context: Context, key: Key) -> bool:
    cognito = context.client("cognito-idp")
    place = {"UserPoolId": key["UserPoolId"], "GroupName": key["Ref"]}
    return found(lambda: cognito.get_group(**place), _GONE) is not None


def _user(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    cognito = context.client("cognito-idp")
    name = properties.get("Username") or naming.generated(context.service, logical_id)
    key = {"UserPoolId": properties["UserPoolId"], "Username": name}
    existing = found(lambda: cognito.admin_get_user(**key), _NO_USER)
    if existing is None:
        made = cognito.admin_create_user(**{**properties, "Username": name})["User"]
        return Outcome.CREATED, Physical(made["Username"])
    actual = {one["Name"]: one["Value"] for one in existing["UserAttributes"]}
    wanted = {one["Name"]: one["Value"] for one in properties.get("UserAttributes", [])}
    same = subset(wanted, actual)
    if not same:
        pairs = [{"Name": k, "Value": v} for k, v in wanted.items()]
        cognito.admin_update_user_attributes(**key, UserAttributes=pairs)
    return outcome_of(False, not same), Physical(existing["Username"])


def _user_exists(context: Context, key: Key) -> bool:
    cognito = context.client("cognito-idp")
    place = {"UserPoolId": key["UserPoolId"], "Username": key["Ref"]}
    return found(lambda: cognito.admin_get_user(**place), _NO_USER, _GONE) is not None


def _member(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    cognito = context.client("cognito-idp")
    place = {"UserPoolId": properties["UserPoolId"], "Username": properties["Username"]}
    groups = cognito.admin_list_groups_for_user(**place)["Groups"]
    if any(group["GroupName"] == properties["GroupName"] for group in groups):
        return Outcome.UNCHANGED, Physical(logical_id)
    cognito.admin_add_user_to_group(**properties)
    return Outcome.CREATED, Physical(logical_id)


def _member_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [dict(properties)]


def _remove_member(context: Context, key: Key) -> bool:
    cognito = context.client("cognito-idp")
    place = {"UserPoolId": key["UserPoolId"], "Username": key["Username"]}
    answer = found(lambda: cognito.admin_list_groups_for_user(**place), _GONE, _NO_USER)
    names = [group["GroupName"] for group in (answer or {}).get("Groups", [])]
    if key["GroupName"] not in names:
        return False
    return gone(lambda: cognito.admin_remove_user_from_group(**key), _GONE, _NO_USER)


_TEXTS = shapes.list_of(shapes.text)
_PAIRS = shapes.list_of(shapes.mapping({"Name": shapes.text}, {"Value": shapes.text}))
_VERSIONS = shapes.one_of("V1_0", "V2_0", "V3_0")
_LAMBDA_CONFIG = shapes.mapping(
    {},
    {
        **dict.fromkeys(
            (
                *("CreateAuthChallenge", "CustomMessage", "DefineAuthChallenge"),
                *("PostAuthentication", "PostConfirmation", "PreAuthentication", "PreSignUp"),
                *("PreTokenGeneration", "UserMigration", "VerifyAuthChallengeResponse"),
            ),
            shapes.text,
        ),
        "PreTokenGenerationConfig": shapes.mapping(
            {"LambdaArn": shapes.text, "LambdaVersion": _VERSIONS}
        ),
    },
)
_SCHEMA = shapes.list_of(
    shapes.mapping(
        {"Name": shapes.text},
        {
            "AttributeDataType": shapes.one_of("Boolean", "DateTime", "Number", "String"),
            "DeveloperOnlyAttribute": shapes.flag,
            "Mutable": shapes.flag,
            "NumberAttributeConstraints": shapes.mapping(
                {}, {"MaxValue": shapes.text, "MinValue": shapes.text}
            ),
            "Required": shapes.flag,
            "StringAttributeConstraints": shapes.mapping(
                {}, {"MaxLength": shapes.text, "MinLength": shapes.text}
            ),
        },
    )
)
_POLICIES = shapes.mapping(
    {},
    {
        "PasswordPolicy": shapes.mapping(
            {},
            {
                "MinimumLength": shapes.number(6, 99),
                "RequireLowercase": shapes.flag,
                "RequireNumbers": shapes.flag,
                "RequireSymbols": shapes.flag,
                "RequireUppercase": shapes.flag,
                "TemporaryPasswordValidityDays": shapes.number(0, 365),
            },
        )
    },
)
_UNITS = shapes.one_of("seconds", "minutes", "hours", "days")

RESOURCE_TYPES = {
    "AWS::Cognito::UserPool": ResourceType(
        _pool,
        {},
        {
            "AccountRecoverySetting": shapes.mapping(
                {},
                {
                    "RecoveryMechanisms": shapes.list_of(
                        shapes.mapping({"Name": shapes.text, "Priority": shapes.number(1, 2)})
                    )
                },
            ),
            "AdminCreateUserConfig": shapes.mapping(
                {},
                {
                    "AllowAdminCreateUserOnly": shapes.flag,
                    "InviteMessageTemplate": shapes.mapping(
                        {},
                        {
                            "EmailMessage": shapes.text,
                            "EmailSubject": shapes.text,
                            "SMSMessage": shapes.text,
                        },
                    ),
                },
            ),
            "AliasAttributes": _TEXTS,
            "AutoVerifiedAttributes": _TEXTS,
            "DeletionProtection": shapes.one_of("ACTIVE", "INACTIVE"),
            "EmailConfiguration": shapes.mapping(
                {},
                {
                    "EmailSendingAccount": shapes.one_of("COGNITO_DEFAULT", "DEVELOPER"),
                    "From": shapes.text,
                    "ReplyToEmailAddress": shapes.text,
                    "SourceArn": shapes.text,
                },
            ),
            "EmailVerificationMessage": shapes.text,
            "EmailVerificationSubject": shapes.text,
            "LambdaConfig": _LAMBDA_CONFIG,
            "MfaConfiguration": shapes.one_of("OFF", "OPTIONAL"),
            "Policies": _POLICIES,
            "Schema": _SCHEMA,
            "SmsConfiguration": shapes.any_mapping,
            "SmsVerificationMessage": shapes.text,
            "UserPoolName": shapes.text,
            "UserPoolTags": shapes.mapping_of(shapes.text),
            "UserPoolTier": shapes.one_of("LITE", "ESSENTIALS", "PLUS"),
            "UsernameAttributes": _TEXTS,
            "UsernameConfiguration": shapes.mapping({}, {"CaseSensitive": shapes.flag}),
            "VerificationMessageTemplate": shapes.mapping(
                {},
                {
                    "DefaultEmailOption": shapes.one_of("CONFIRM_WITH_CODE"),
                    "EmailMessage": shapes.text,
                    "EmailSubject": shapes.text,
                    "SmsMessage": shapes.text,
                },
            ),
        },
        remove=_remove_triggers,
        exists=_pool_exists,
        delete_with="cognito-idp delete-user-pool --user-pool-id {Ref}",
    ),
    "Custom::CognitoUserPool": ResourceType(
        _existing,
        {
            "FunctionName": shapes.text,
            "UserPoolConfigs": shapes.list_of(
                shapes.mapping({"Trigger": shapes.text}, {"LambdaVersion": _VERSIONS})
            ),
            "UserPoolName": shapes.text,
        },
        keys=_existing_keys,
        remove=_remove_existing,
    ),
    "AWS::Cognito::UserPoolClient": ResourceType(
        _client,
        {"UserPoolId": shapes.text},
        {
            "AccessTokenValidity": shapes.number(1, 86_400),
            "AuthSessionValidity": shapes.number(3, 15),
            "ClientName": shapes.text,
            "EnableTokenRevocation": shapes.flag,
            "ExplicitAuthFlows": _TEXTS,
            "GenerateSecret": shapes.flag,
            "IdTokenValidity": shapes.number(1, 86_400),
            "PreventUserExistenceErrors": shapes.one_of("ENABLED", "LEGACY"),
            "ReadAttributes": _TEXTS,
            "RefreshTokenValidity": shapes.number(1, 315_360_000),
            "SupportedIdentityProviders": shapes.list_of(shapes.one_of("COGNITO")),
            "TokenValidityUnits": shapes.mapping(
                {}, {"AccessToken": _UNITS, "IdToken": _UNITS, "RefreshToken": _UNITS}
            ),
            "WriteAttributes": _TEXTS,
        },
        keys=_in_pool,
        exists=_client_exists,
        delete_with=(
            "cognito-idp delete-user-pool-client --user-pool-id {UserPoolId} --client-id {Ref}"
        ),
    ),
    "AWS::Cognito::UserPoolGroup": ResourceType(
        _group,
        {"UserPoolId": shapes.text},
        {
            "Description": shapes.text,
            "GroupName": shapes.text,
            "Precedence": shapes.number(0),
            "RoleArn": shapes.text,
        },
        keys=_in_pool,
        exists=_group_exists,
        delete_with="cognito-idp delete-group --user-pool-id {UserPoolId} --group-name {Ref}",
    ),
    "AWS::Cognito::UserPoolUser": ResourceType(
        _user,
        {"UserPoolId": shapes.text},
        {
            "ClientMetadata": shapes.mapping_of(shapes.text),
            "DesiredDeliveryMediums": shapes.list_of(shapes.one_of("EMAIL", "SMS")),
            "MessageAction": shapes.one_of("SUPPRESS"),
            "UserAttributes": _PAIRS,
            "Username": shapes.text,
            "ValidationData": _PAIRS,
        },
        keys=_in_pool,
        exists=_user_exists,
        delete_with="cognito-idp admin-delete-user --user-pool-id {UserPoolId} --username {Ref}",
    ),
    "AWS::Cognito::UserPoolUserToGroupAttachment": ResourceType(
        _member,
        {"GroupName": shapes.text, "UserPoolId": shapes.text, "Username": shapes.text},
        keys=_member_keys,
        remove=_remove_member,
    ),
}
