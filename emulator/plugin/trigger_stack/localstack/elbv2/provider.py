"""The service ``elbv2`` of LocalStack: moto's control plane, corrected; the engine serves it.

What: a provider at LocalStack's extension point ``localstack.aws.provider`` that hands every
operation to moto; a handler in ``run_custom_response_handlers``, LocalStack's own list, tells the
engine which load balancers there are; moto's check of conditions lets regular expressions pass.
Why: the open release has no load balancers. moto registers a function that nobody may invoke, calls
every target healthy, takes the same name, port or a rule's default twice, and ignores the matcher
of a function's health checks; the engine must know of a change before its caller has an answer.
Until: LocalStack's open release has ``elbv2`` with a data plane.
Test: ``tests/engine/test_load_balancer.py``.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.forwarder import create_aws_request_context
from localstack.aws.handlers import run_custom_response_handlers
from localstack.aws.skeleton import DispatchTable, Skeleton
from localstack.aws.spec import load_service
from localstack.http import Request, Response, route
from localstack.services.edge import ROUTER
from localstack.services.moto import call_moto
from localstack.services.plugins import Service
from moto.elbv2.models import (
    ELBv2Backend,
    FakeListener,
    FakeLoadBalancer,
    FakeTargetGroup,
    elbv2_backends,
)

from trigger_stack.engine.supervisor import EngineUnavailableError
from trigger_stack.localstack.aws_service import as_aws_error
from trigger_stack.localstack.elbv2 import limits
from trigger_stack.localstack.elbv2.document import APPLICATION, MULTI_VALUE, Document
from trigger_stack.localstack.lambda_engine.control_plane import control_plane
from trigger_stack.localstack.lambda_engine.versions import describe_function, find_function
from trigger_stack.services.elbv2.ports import Ports
from trigger_stack.services.elbv2.settings import Settings
from trigger_stack.services.elbv2.validation import (
    check_actions,
    check_conditions,
    check_priorities,
)
from trigger_stack.services.errors import ServiceError
from trigger_stack_engine.front_doors.load_balancer.balancer import LAMBDA, Target
from trigger_stack_engine.front_doors.load_balancer.door import may_invoke
from trigger_stack_engine.wire import ConnectionLostError, RemoteError

LOG = logging.getLogger(__name__)
SERVICE = "elbv2"
ADDRESSES = "/_trigger_stack/load-balancers"
_READS = ("Describe", "Get")


def create_service() -> Service:
    """The service for LocalStack's ``localstack.aws.provider`` entry point."""
    model = load_service(SERVICE)
    settings = Settings.from_environment()
    ports = Ports(settings.ports)
    document = Document(settings, ports)
    provider = LoadBalancing(settings, ports, document)
    table: DispatchTable = dict.fromkeys(model.operation_names, provider.call_moto)
    table |= provider.operations()
    _let_expressions_pass()
    run_custom_response_handlers.append(provider.push_changes)
    ROUTER.add(Addresses(document))
    return Service(SERVICE, skeleton=Skeleton(model, table))


class Addresses:
    """``GET /_trigger_stack/load-balancers``: where each listener is served."""

    def __init__(self, document: Document) -> None:
        self._document = document

    @route(ADDRESSES, methods=["GET"])
    def get(self, request: Request, **_: Any) -> Response:
        """``[{"loadBalancer", "listenerArn", "port", "address"}]``."""
        response = Response()
        response.set_json(self._document.addresses())
        return response


class LoadBalancing:
    """The operations that are corrected.

    Args:
        settings: Where listeners are served.
        ports: The ports that they have.
        document: Describes everything for the engine.
    """

    def __init__(self, settings: Settings, ports: Ports, document: Document) -> None:
        self._settings = settings
        self._ports = ports
        self._document = document

    def operations(self) -> DispatchTable:
        """Their handlers, by name."""
        handlers: list[Callable[[RequestContext, Any], Any]] = [
            self.create_load_balancer,
            self.delete_load_balancer,
            self.create_listener,
            self.modify_listener,
            self.create_rule,
            self.modify_rule,
            self.delete_rule,
            self.describe_rules,
            self.set_rule_priorities,
            self.create_target_group,
            self.modify_target_group,
            self.modify_target_group_attributes,
            self.register_targets,
            self.describe_target_health,
        ]
        return {_operation(handler.__name__): _wrapped(handler) for handler in handlers}

    def call_moto(self, context: RequestContext, request: Any) -> Any:
        """Hand an operation to moto."""
        self._document.refresh()
        return call_moto(context)

    def push_changes(self, chain: Any, context: Any, response: Any) -> None:
        """Response handler: what an operation changed is served before its caller has an answer."""
        del chain, response
        if context.service is None or context.service.service_name != SERVICE:
            return
        if context.operation is None or context.operation.name.startswith(_READS):
            return
        try:
            control_plane().push("load_balancers", self._document.describe)
        except (ConnectionLostError, EngineUnavailableError, RemoteError) as error:
            LOG.warning("the engine could not be told of a change of load balancers: %s", error)

    # -- load balancers -------------------------------------------------------------------------

    def create_load_balancer(self, context: RequestContext, request: Any) -> Any:
        """One that is there already, with the same settings, is the answer."""
        backend = _backend(context)
        for balancer in list(backend.load_balancers.values()):
            if balancer.name == request.get("Name"):
                if not _is_as_asked(balancer, request):
                    raise ServiceError(
                        "DuplicateLoadBalancerName",
                        f"A load balancer with the same name '{balancer.name}' exists, but with"
                        " different settings",
                    )
                return _ask_moto(
                    context, "DescribeLoadBalancers", {"LoadBalancerArns": [balancer.arn]}
                )
        answer = call_moto(context)
        made = answer["LoadBalancers"][0]
        balancer = backend.load_balancers[made["LoadBalancerArn"]]
        balancer.scheme = made["Scheme"] = balancer.scheme or "internet-facing"
        if balancer.type == APPLICATION:
            with self._document.lock:
                self._ports.promise(balancer.arn)
                self._document.refresh()
            made["DNSName"] = balancer.dns_name
        return answer

    def delete_load_balancer(self, context: RequestContext, request: Any) -> Any:
        """Not one that is protected."""
        arn = request["LoadBalancerArn"]
        balancer = _backend(context).load_balancers.get(arn)
        if balancer and str(balancer.attrs.get("deletion_protection.enabled")).lower() == "true":
            raise ServiceError(
                "OperationNotPermitted",
                f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
            )
        return call_moto(context)

    # -- listeners ------------------------------------------------------------------------------

    def create_listener(self, context: RequestContext, request: Any) -> Any:
        """It gets a port of this machine, or is not made."""
        backend = _backend(context)
        balancer = backend.load_balancers.get(request["LoadBalancerArn"])
        if balancer is None or balancer.type != APPLICATION:
            return call_moto(context)
        check_actions(request.get("DefaultActions") or [])
        limits.check_actions(request.get("DefaultActions") or [])
        _check_port(balancer, request.get("Port"))
        answer = call_moto(context)
        arn = answer["Listeners"][0]["ListenerArn"]
        if balancer.listeners[arn].protocol == "HTTP":
            balancer.listeners[arn].ssl_policy = None  # type: ignore[assignment]  # as on AWS
            answer["Listeners"][0].pop("SslPolicy", None)
        try:
            self._serve(balancer, arn, int(request["Port"]))
        except (EngineUnavailableError, RemoteError) as error:
            balancer.listeners.pop(arn, None)
            ports = self._settings.ports
            raise ServiceError(
                "TooManyListeners",
                f"{error} LOAD_BALANCER_PORTS is {ports.start}-{ports.stop - 1}: delete a load"
                " balancer, or give it more.",
            ) from None
        return answer

    def _serve(self, balancer: FakeLoadBalancer, listener: str, wanted: int) -> None:
        """Have the engine take a port for a new listener.

        Raises:
            EngineUnavailableError: There is no engine.
            RemoteError: No port is left.
        """
        with self._document.lock:
            reply, _ = control_plane().call(
                {
                    "op": "load_balancer_port",
                    "listener": listener,
                    "host": self._settings.listen,
                    "ports": self._ports.candidates(balancer.arn, wanted),
                }
            )
            self._ports.take(listener, balancer.arn, reply["port"])

    def modify_listener(self, context: RequestContext, request: Any) -> Any:
        """It stays on its port of this machine."""
        backend = _backend(context)
        if actions := request.get("DefaultActions"):
            check_actions(actions)
            limits.check_actions(actions)
        balancer, listener = _find_listener(backend, request["ListenerArn"])
        if balancer and listener and request.get("Port") not in (None, int(listener.port)):
            _check_port(balancer, request["Port"])
        return call_moto(context)

    # -- rules ----------------------------------------------------------------------------------

    def create_rule(self, context: RequestContext, request: Any) -> Any:
        """Nothing is taken that would not be served."""
        _check_rule(request)
        limits.check_conditions(request.get("Conditions") or [])
        limits.check_priority(int(request["Priority"]))
        check_actions(request.get("Actions") or [])
        limits.check_actions(request.get("Actions") or [])
        return call_moto(context)

    def modify_rule(self, context: RequestContext, request: Any) -> Any:
        """Not the default one."""
        _check_not_default(context, request["RuleArn"], "modified")
        _check_rule(request)
        if conditions := request.get("Conditions"):
            limits.check_conditions(conditions)
        if actions := request.get("Actions"):
            check_actions(actions)
            limits.check_actions(actions)
        return call_moto(context)

    def delete_rule(self, context: RequestContext, request: Any) -> Any:
        """Not the default one."""
        _check_not_default(context, request["RuleArn"], "deleted")
        return call_moto(context)

    def describe_rules(self, context: RequestContext, request: Any) -> Any:
        """In the order in which they are tried."""
        answer = call_moto(context)
        answer["Rules"].sort(key=lambda rule: (rule["IsDefault"], _number(rule["Priority"])))
        return answer

    def set_rule_priorities(self, context: RequestContext, request: Any) -> Any:
        """All at once: two rules may change places."""
        backend = _backend(context)
        wanted = {one["RuleArn"]: int(one["Priority"]) for one in request["RulePriorities"]}
        found = {}
        for arn, priority in wanted.items():
            limits.check_priority(priority)
            _check_not_default(context, arn, "modified")
            found[arn] = backend.describe_rules(listener_arn=None, rule_arns=[arn])[0]
        for listener_arn in {rule.listener_arn for rule in found.values()}:
            _, listener = _find_listener(backend, listener_arn)
            assert listener is not None
            rules = listener._non_default_rules.values()
            check_priorities({rule.arn: wanted.get(rule.arn, int(rule.priority)) for rule in rules})
        for arn, rule in found.items():
            rule.priority = wanted[arn]
        return _ask_moto(context, "DescribeRules", {"RuleArns": list(wanted)})

    # -- target groups --------------------------------------------------------------------------

    def create_target_group(self, context: RequestContext, request: Any) -> Any:
        """One for functions has no attributes of connections."""
        answer = call_moto(context)
        group = _backend(context).target_groups[answer["TargetGroups"][0]["TargetGroupArn"]]
        if group.target_type == LAMBDA:
            group.attributes = {MULTI_VALUE: "false"}
        return answer

    def modify_target_group(self, context: RequestContext, request: Any) -> Any:
        """The matcher counts for functions too."""
        answer = call_moto(context)
        group = _backend(context).target_groups[request["TargetGroupArn"]]
        codes = (request.get("Matcher") or {}).get("HttpCode")
        if codes and group.target_type == LAMBDA:
            group.matcher = {"HttpCode": codes}
            answer["TargetGroups"][0]["Matcher"] = {"HttpCode": codes}
        return answer

    def modify_target_group_attributes(self, context: RequestContext, request: Any) -> Any:
        """The answer has all attributes."""
        call_moto(context)
        arn = request["TargetGroupArn"]
        return _ask_moto(context, "DescribeTargetGroupAttributes", {"TargetGroupArn": arn})

    def register_targets(self, context: RequestContext, request: Any) -> Any:
        """A function must let the target group invoke it."""
        group = _backend(context).target_groups.get(request["TargetGroupArn"])
        if group is not None and group.target_type == LAMBDA:
            wanted = {target["Id"] for target in request.get("Targets") or []}
            for arn in wanted:
                _check_permission(group, arn)
            if len(wanted | set(group.targets)) > 1:
                raise ServiceError(
                    "TooManyTargets", "You've reached the limit on the number of targets."
                )
        return call_moto(context)

    def describe_target_health(self, context: RequestContext, request: Any) -> Any:
        """The engine knows."""
        group = _backend(context).target_groups.get(request["TargetGroupArn"])
        if group is None or group.target_type != LAMBDA:
            return call_moto(context)
        asked = [target["Id"] for target in request.get("Targets") or []]
        targets = asked or list(group.targets)
        reply, _ = control_plane().call(
            {"op": "target_health", "target_group": group.arn, "targets": targets}
        )
        return {
            "TargetHealthDescriptions": [
                {"Target": {"Id": target}, "TargetHealth": _health(verdict)}
                for target, verdict in zip(targets, reply["health"], strict=True)
            ]
        }


def _operation(name: str) -> str:
    return "".join(part.title() for part in name.split("_"))


def _wrapped(handler: Callable[[RequestContext, Any], Any]) -> Callable[..., Any]:
    def handle(context: RequestContext, request: Any) -> Any:
        try:
            return handler(context, request)
        except ServiceError as error:
            raise as_aws_error(error) from error

    return handle


def _ask_moto(context: RequestContext, operation: str, parameters: dict[str, Any]) -> Any:
    """Ask moto for something else, as the same caller."""
    other = create_aws_request_context(
        service_name=SERVICE,
        action=operation,
        protocol="query",
        parameters=parameters,
        region=context.region,
    )
    headers = copy.deepcopy(context.request.headers)
    headers.update(other.request.headers)
    headers["Authorization"] = context.request.headers.get("Authorization", "")
    other.request.headers = headers
    return call_moto(other)


def _backend(context: RequestContext) -> ELBv2Backend:
    return elbv2_backends[context.account_id][context.region]


def _number(priority: str) -> int:
    return int(priority) if priority.isdecimal() else 0


def _is_as_asked(balancer: FakeLoadBalancer, request: Any) -> bool:
    mappings = [mapping["SubnetId"] for mapping in request.get("SubnetMappings") or []]
    return (
        {subnet.id for subnet in balancer.subnets} == {*(request.get("Subnets") or []), *mappings}
        and balancer.scheme == (request.get("Scheme") or "internet-facing")
        and balancer.type == (request.get("Type") or APPLICATION)
    )


def _find_listener(
    backend: ELBv2Backend, arn: str
) -> tuple[FakeLoadBalancer | None, FakeListener | None]:
    for balancer in list(backend.load_balancers.values()):
        if listener := balancer.listeners.get(arn):
            return balancer, listener
    return None, None


def _check_port(balancer: FakeLoadBalancer, port: int | None) -> None:
    if any(port == int(listener.port) for listener in list(balancer.listeners.values())):
        raise ServiceError(
            "DuplicateListener",
            f"A listener already exists on this port for this load balancer '{balancer.arn}'",
        )


def _check_rule(request: Any) -> None:
    check_conditions(request.get("Conditions") or [])
    if request.get("Transforms"):
        raise ServiceError("UnsupportedFeature", "Transforms of rules are not part of this stack.")


def _check_not_default(context: RequestContext, arn: str, what: str) -> None:
    for balancer in list(_backend(context).load_balancers.values()):
        for listener in list(balancer.listeners.values()):
            if listener._default_rule[0].arn == arn:
                raise ServiceError(
                    "OperationNotPermitted", f"Default rule '{arn}' cannot be {what}"
                )


def _check_permission(group: FakeTargetGroup, arn: str) -> None:
    parts = arn.split(":")
    own = group.arn.split(":")
    if len(parts) not in (7, 8) or parts[2] != LAMBDA or parts[5] != "function":
        raise ServiceError("ValidationError", f"'{arn}' is not a valid Lambda ARN")
    if parts[3:5] != own[3:5]:
        raise ServiceError(
            "InvalidTarget",
            f"The function '{arn}' is not in the account and region of the target group",
        )
    target = Target.from_arn(arn)
    function = find_function(parts[4], parts[3], parts[6])
    policies = describe_function(target.function_arn, function).policies if function else {}
    if not may_invoke(policies.get(target.qualifier or "$LATEST", []), group.arn):
        raise ServiceError(
            "AccessDenied",
            f"elasticloadbalancing principal does not have permission to invoke {arn} from target"
            f" group {group.arn}",
            403,
        )


def _health(verdict: dict[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in (
            ("State", verdict["state"]),
            ("Reason", verdict["reason"]),
            ("Description", verdict["description"]),
        )
        if value
    }


def _let_expressions_pass() -> None:
    """Moto's check of conditions knows no ``RegexValues``."""
    original = ELBv2Backend._validate_conditions
    if hasattr(original, "_trigger_stack_original"):
        return

    def validate(self: Any, conditions: list[dict[str, Any]]) -> None:
        original(self, [condition for condition in conditions if not _has_expressions(condition)])

    validate._trigger_stack_original = original  # type: ignore[attr-defined]  # a mark
    ELBv2Backend._validate_conditions = validate  # type: ignore[method-assign]  # the patch


def _has_expressions(condition: dict[str, Any]) -> bool:
    inner = [value for value in condition.values() if isinstance(value, dict)]
    return any("RegexValues" in one for one in [condition, *inner])
