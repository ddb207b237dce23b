r"""``http`` with ``integration: lambda``: mapping templates between the caller and the function.

Serverless guide, "REST API (API Gateway v1)", "Lambda Integration"; API Gateway, "Mapping template
transformations". The function gets what a request template makes of the request; which response
the caller gets, the first pattern that matches the function's error message decides.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from bootstrap.definition.parsing import Model

type ContentHandling = Literal["CONVERT_TO_BINARY", "CONVERT_TO_TEXT"]
type PassThrough = Literal["NEVER", "WHEN_NO_MATCH", "WHEN_NO_TEMPLATES"]

_CLAIMS: Final = "extraCognitoPoolClaims"
#: The framework's own templates, to the letter: what a function gets is compared with osls.
_COMMON: Final = r"""
  #define( $loop )
    {
    #foreach($key in $map.keySet())
        #set( $k = $util.escapeJavaScript($key) )
        #set( $v = $util.escapeJavaScript($map.get($key)).replaceAll("\\'", "'") )
        "$k":
          "$v"
          #if( $foreach.hasNext ) , #end
    #end
    }
  #end

  {
    "body": $body,
    "method": "$context.httpMethod",
    "principalId": "$context.authorizer.principalId",
    "stage": "$context.stage",

    "cognitoPoolClaims" : {
       extraCognitoPoolClaims
       "sub": "$context.authorizer.claims.sub"
    },

    #set( $map = $context.authorizer )
    "enhancedAuthContext": $loop,

    #set( $map = $input.params().header )
    "headers": $loop,

    #set( $map = $input.params().querystring )
    "query": $loop,

    #set( $map = $input.params().path )
    "path": $loop,

    #set( $map = $context.identity )
    "identity": $loop,

    #set( $map = $stageVariables )
    "stageVariables": $loop,

    "requestPath": "$context.resourcePath"
  }
"""
_JSON: Final = f"""
    #set( $body = $input.json("$") )

    {_COMMON}
  """
_FORM: Final = rf"""
    #define( $body )
      {{
      #foreach( $token in $input.path('$').split('&') )
        #set( $keyVal = $token.split('=') )
        #set( $keyValSize = $keyVal.size() )
        #if( $keyValSize >= 1 )
          #set( $key = $util.escapeJavaScript($util.urlDecode($keyVal[0])) )
          #if( $keyValSize >= 2 )
            #set($val = $util.escapeJavaScript($util.urlDecode($keyVal[1])).replaceAll("\\'","'"))
          #else
            #set( $val = '' )
          #end
          "$key": "$val"#if($foreach.hasNext),#end
        #end
      #end
      }}
    #end

    {_COMMON}
  """


class StatusCode(Model):
    """``http.response.statusCodes.<code>``: for which error messages, and what the caller gets."""

    headers: dict[str, str] = {}
    pattern: str | None = None
    template: str | dict[str, str] | None = None


class HttpResponse(Model):
    """``http.response``."""

    contentHandling: ContentHandling | None = None
    headers: dict[str, str] = {}
    template: str | None = None
    statusCodes: dict[str, StatusCode] | None = None

    def codes(self) -> dict[str, StatusCode]:
        """The responses that there are; one of them answers when nothing failed."""
        if self.statusCodes is None:
            return _DEFAULT_CODES
        has_default = any(code.pattern == "" for code in self.statusCodes.values())
        default = {} if has_default else {"200": _DEFAULT_CODES["200"]}
        # JavaScript keeps keys that are numbers in their order.
        return dict(sorted({**self.statusCodes, **default}.items()))


_DEFAULT_CODES: Final = {
    "200": StatusCode(pattern=""),
    **{
        code: StatusCode(pattern=rf"[\s\S]*\[{code}\][\s\S]*")
        for code in ("400", "401", "403", "404", "422")
    },
    "500": StatusCode(
        pattern=(r"[\s\S]*(Process\s?exited\s?before\s?completing\s?request|\[500\])[\s\S]*")
    ),
    "502": StatusCode(pattern=r"[\s\S]*\[502\][\s\S]*"),
    "504": StatusCode(
        pattern=r"([\s\S]*\[504\][\s\S]*)|(.*Task timed out after \d+\.\d+ seconds$)"
    ),
}


def request_templates(given: dict[str, str | None] | None, claims: list[str]) -> dict[str, str]:
    """The templates by content type: the framework's, unless the file has another or ``null``.

    Args:
        given: ``http.request.template``.
        claims: ``http.authorizer.claims``: claims of the caller's token that the function gets.
    """
    templates = {"application/json": _JSON, "application/x-www-form-urlencoded": _FORM}
    for content_type, template in (given or {}).items():
        if template is None:
            templates.pop(content_type, None)
        else:
            templates[content_type] = template
    lines = "".join(f"{_claim(claim)}," for claim in claims)
    return {kind: text.replace(_CLAIMS, lines, 1) for kind, text in templates.items()}


def _claim(claim: str) -> str:
    _, colon, name = claim.partition(":")
    if colon:
        return f'"{name}": "$context.authorizer.claims[\'{claim}\']"'
    return f'"{claim}": "$context.authorizer.claims.{claim}"'


def responses(
    response: HttpResponse, cors: dict[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The method's responses and the integration's.

    Args:
        cors: headers that every response has, with their values.
    """
    method, integration = [], []
    common = {**cors, **response.headers}
    for status, code in response.codes().items():
        headers = {f"{_HEADER}{name}": value for name, value in {**common, **code.headers}.items()}
        method.append(
            {
                "StatusCode": status,
                "ResponseModels": {},
                "ResponseParameters": dict.fromkeys(headers, True),
            }
        )
        own = code.template
        templates = {"application/json": own} if isinstance(own, str) else own or {}
        if response.template is not None:
            templates = {"application/json": response.template, **templates}
        one: dict[str, Any] = {
            "StatusCode": status,
            "SelectionPattern": code.pattern or "",
            "ResponseParameters": headers,
            "ResponseTemplates": templates,
        }
        if response.contentHandling and status.startswith("2"):
            one["ContentHandling"] = response.contentHandling
        integration.append(one)
    return method, integration


_HEADER: Final = "method.response.header."
