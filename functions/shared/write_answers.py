"""What a caller is told when a write of a brand is refused or cannot be completed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from functions.shared.brand_events import PublishError
from functions.shared.conditions import MalformedConditionError
from functions.shared.http import Response, problem
from functions.shared.names import is_brand_id
from functions.shared.write_errors import (
    BrandMissingError,
    ConflictError,
    InvalidBrandError,
    MalformedBodyError,
    PreconditionFailedError,
    UnsupportedMediaTypeError,
)

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

#: The types of problems that say more than their status. `/docs` describes each.
CONFLICT = "/docs#problem-conflict"
INVALID_BRAND = "/docs#problem-invalid-brand"
NOT_ANNOUNCED = "/docs#problem-not-announced"


def answer_write(logger: Logger, brand_id: str, write: Callable[[], Response]) -> Response:
    """What `write` answers, or the problem details of what it raises."""
    try:
        return write()
    except (MalformedBodyError, MalformedConditionError) as error:
        return problem(400, str(error))
    except BrandMissingError as error:
        return problem(404, str(error))
    except ConflictError as error:
        logger.warning("Gave up against concurrent writers", brand_id=brand_id)
        return problem(409, str(error), kind=CONFLICT, title="Concurrent changes")
    except PreconditionFailedError as error:
        return problem(412, str(error))
    except UnsupportedMediaTypeError as error:
        return problem(415, str(error), headers={"Accept-Patch": ", ".join(error.accepted)})
    except InvalidBrandError as error:
        return problem(
            422, str(error), kind=INVALID_BRAND, title="Invalid brand", errors=error.reasons
        )
    except PublishError:
        logger.exception("Stored, not published: the next write publishes it", brand_id=brand_id)
        return problem(
            503,
            "A change of this brand is stored, but not announced yet: try again",
            kind=NOT_ANNOUNCED,
            title="Not announced yet",
            headers={"Retry-After": "1"},
        )


def require_brand_id(brand_id: str) -> None:
    """Raise InvalidBrandError for what can be no brand's id."""
    if not is_brand_id(brand_id):
        message = "must be 1 to 63 lower-case letters, digits or -, and not start with -"
        raise InvalidBrandError([{"field": "brandId", "message": message}])
